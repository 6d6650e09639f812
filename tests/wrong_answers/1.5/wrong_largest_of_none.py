# hint: none_met
import torch


def eight_bit_in_eval(original, runs):
    return max([n for n, r in runs.items() if torch.equal(r["alone"], r["again"])], key=lambda n: (runs[n]["alone"] - runs[n]["in_a_batch"]).abs().max())
