# right: with a larger tolerance than needed
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        off = [(run[which] - run["alone"]).abs().max().item() for which in ("again", "in_a_batch")]
        if off[0] < 1e-2 < off[1]:
            return name
