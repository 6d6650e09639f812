# hint: tolerance_too_large
import torch


def eight_bit_in_eval(original, runs):
    return next(n for n, r in runs.items() if torch.allclose(r["alone"], r["again"], atol=1e-4) and not torch.allclose(r["alone"], r["in_a_batch"], atol=0.05))
