# hint: none_met
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        if torch.allclose(run["again"], run["alone"]) and not torch.allclose(run["in_a_batch"], run["alone"]):
            return name
