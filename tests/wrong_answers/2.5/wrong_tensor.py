# hint: tensor_name
import torch


def lost_reference(runs):
    for run in runs.values():
        for name, value in run["before"].items():
            if "lora_" not in name and not torch.equal(run["after"][name], value):
                return name
