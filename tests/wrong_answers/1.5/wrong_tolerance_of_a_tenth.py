# hint: tolerance_too_large
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        repeats = (run["again"] - run["alone"]).abs().max() < 0.1
        if repeats and (run["in_a_batch"] - run["alone"]).abs().max() > 0.1:
            return name
