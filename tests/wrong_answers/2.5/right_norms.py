# right: the change of the base, as one number
import torch


def lost_reference(runs):
    def moved(run):
        base = [name for name in run["before"] if ".lora_A." not in name and ".lora_B." not in name]
        return sum(torch.dist(run["before"][name], run["after"][name]).item() for name in base)

    return max(runs, key=lambda name: moved(runs[name]))
