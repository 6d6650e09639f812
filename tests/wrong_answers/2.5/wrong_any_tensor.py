# hint: adapters_counted
import torch


def lost_reference(runs):
    for name, run in runs.items():
        if any(not torch.equal(run["after"][n], v) for n, v in run["before"].items()):
            return name
