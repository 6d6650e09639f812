# hint: none_met
import torch


def lost_reference(runs):
    for name, run in runs.items():
        for tensor, before in run["before"].items():
            if "lora_" not in tensor and before.flatten()[0] != run["after"][tensor].flatten()[0]:
                return name
