# right: sorted by name, and put in one row
import torch


def lost_reference(runs):
    def base(tensors):
        return torch.cat([tensors[n].flatten() for n in sorted(tensors) if "lora" not in n])

    return next(name for name, run in runs.items() if (base(run["before"]) != base(run["after"])).any())
