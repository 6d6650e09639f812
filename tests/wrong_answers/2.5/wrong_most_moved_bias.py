# hint: weights_left_out
import torch


def lost_reference(runs):
    def moved(run):
        return max((run["after"][n] - v).abs().max().item() for n, v in run["before"].items() if n.endswith(".bias"))

    return max(runs, key=lambda name: moved(runs[name]))
