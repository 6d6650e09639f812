# hint: not_a_name
import torch


def lost_reference(runs):
    return [
        name
        for name, run in runs.items()
        if any("lora_" not in n and not torch.equal(run["after"][n], v) for n, v in run["before"].items())
    ]
