# hint: reordered
import torch


def lost_reference(runs):
    def changed(run):
        before = [v for n, v in run["before"].items() if "lora_" not in n]
        after = [v for n, v in run["after"].items() if "lora_" not in n]
        return sum(not torch.equal(old, new) for old, new in zip(before, after))

    return max(runs, key=lambda name: changed(runs[name]))
