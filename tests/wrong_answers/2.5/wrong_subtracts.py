# hint: inputs_changed
import torch


def lost_reference(runs):
    for name, run in runs.items():
        for tensor, value in run["before"].items():
            run["after"][tensor] -= value
        if any(v.abs().max() > 0 for n, v in run["after"].items() if "lora_" not in n):
            return name
