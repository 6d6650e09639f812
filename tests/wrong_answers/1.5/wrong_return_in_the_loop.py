# hint: only_the_first
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        if (run["again"] - run["alone"]).abs().max() < 1e-4 < (run["in_a_batch"] - run["alone"]).abs().max():
            found = name
        else:
            found = None
        return found
