# hint: dropout
import torch


def eight_bit_in_eval(original, runs):
    return max(runs, key=lambda name: (runs[name]["alone"] - runs[name]["in_a_batch"]).mean())
