# hint: returned_nothing
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        alone, again, batch = run["alone"], run["again"], run["in_a_batch"]
        repeats = (batch - alone).abs().max() < 1e-4
        changes = (batch - alone).abs().max() > 1e-4
        if repeats and changes:
            return name
