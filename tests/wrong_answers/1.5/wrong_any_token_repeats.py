# hint: one_token
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        repeats = torch.isclose(run["again"], run["alone"], atol=1e-4).any()
        if repeats and not torch.allclose(run["in_a_batch"], run["alone"], atol=1e-4):
            return name
