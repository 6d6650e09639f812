# hint: dropout
import torch


def eight_bit_in_eval(original, runs):
    change = {name: (run["in_a_batch"] - run["alone"]).abs().mean() for name, run in runs.items()}
    return sorted(change, key=change.get)[-2]
