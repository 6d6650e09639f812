# hint: steady
import torch


def eight_bit_in_eval(original, runs):
    return min(runs, key=lambda name: (runs[name]["in_a_batch"] - runs[name]["alone"]).abs().max().item())
