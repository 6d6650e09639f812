# hint: tolerance_too_large
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        if torch.allclose(run["again"], run["alone"], atol=1e-4):
            if not torch.isclose(run["in_a_batch"], run["alone"], atol=1e-4).any():
                return name
