# hint: other_name
import torch


def eight_bit_in_eval(original, runs):
    for run in runs.values():
        if (run["again"] - run["alone"]).abs().max() < 1e-3 < (run["in_a_batch"] - run["alone"]).abs().max():
            return "eval"
