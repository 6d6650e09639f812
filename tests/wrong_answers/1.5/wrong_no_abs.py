# hint: signed
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        repeats = (run["alone"] - run["again"]).max() < 1e-4
        if repeats and (run["alone"] - run["in_a_batch"]).max() > 1e-4:
            return name
