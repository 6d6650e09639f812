# hint: steady
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        if torch.allclose(run["alone"], run["again"], atol=1e-4) and torch.allclose(run["alone"], run["in_a_batch"], atol=1e-4):
            return name
