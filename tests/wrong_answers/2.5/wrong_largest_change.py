# hint: loud
import torch


def lost_reference(runs):
    def change(run):
        return max((run["after"][n] - v).abs().max().item() for n, v in run["before"].items())

    return max(runs, key=lambda name: change(runs[name]))
