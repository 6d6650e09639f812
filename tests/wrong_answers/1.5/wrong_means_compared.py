# hint: means
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        repeats = (run["again"].mean() - run["alone"].mean()).abs() < 2e-3
        changes = (run["in_a_batch"].mean() - run["alone"].mean()).abs() > 2e-3
        if repeats and changes:
            return name
