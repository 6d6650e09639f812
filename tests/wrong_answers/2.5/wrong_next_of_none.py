# hint: none_met
import torch


def lost_reference(runs):
    def moved(run):
        return any(not torch.allclose(run["after"][n], v, atol=1e-2) for n, v in run["before"].items() if "lora_" not in n)

    return next(name for name, run in runs.items() if moved(run))
