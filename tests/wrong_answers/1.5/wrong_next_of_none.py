# hint: none_met
import torch


def eight_bit_in_eval(original, runs):
    return next(n for n, r in runs.items() if torch.equal(r["alone"], r["again"]) and not torch.equal(r["alone"], r["in_a_batch"]))
