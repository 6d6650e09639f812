# hint: signed
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        repeats = (run["again"] - run["alone"]).max() < 1e-4
        if repeats and (run["in_a_batch"] - run["alone"]).max() > 1e-4:
            return name
