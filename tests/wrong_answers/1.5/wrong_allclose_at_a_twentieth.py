# hint: tolerance_too_large
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        if not torch.allclose(run["again"], run["alone"], atol=1e-3):
            continue
        if not torch.allclose(run["in_a_batch"], run["alone"], atol=0.05):
            return name
