# hint: norms_left_out
import torch


def lost_reference(runs):
    for name, run in runs.items():
        if any(not torch.equal(run["after"][n], v) for n, v in run["before"].items() if "base_layer" in n):
            return name
