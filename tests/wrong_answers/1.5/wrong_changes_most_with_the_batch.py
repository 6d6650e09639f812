# hint: dropout
import torch


def eight_bit_in_eval(original, runs):
    distance = {name: (run["in_a_batch"] - run["alone"]).abs().max() for name, run in runs.items()}
    return max(distance, key=distance.get)
