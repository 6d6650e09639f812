# hint: none_met
import torch


def lost_reference(runs):
    for name, run in runs.items():
        for key, before in run["before"].items():
            if "lora_" not in key and not torch.allclose(run["after"][key], before):
                return name
