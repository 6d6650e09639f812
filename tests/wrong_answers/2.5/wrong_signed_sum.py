# hint: sums_compared
import torch


def lost_reference(runs):
    def change(run):
        return sum((run["after"][n] - v).sum() for n, v in run["before"].items() if "lora_" not in n)

    return max(runs, key=lambda name: change(runs[name]))
