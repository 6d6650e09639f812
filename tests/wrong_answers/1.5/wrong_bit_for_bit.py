# hint: returned_nothing
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        if torch.equal(run["alone"], run["again"]) and not torch.equal(run["alone"], run["in_a_batch"]):
            return name
