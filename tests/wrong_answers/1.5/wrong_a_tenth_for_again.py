# hint: dropout
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        alone, again, batch = run["alone"], run["again"], run["in_a_batch"]
        repeats = (again - alone).abs().max() < 0.1
        changes = (batch - alone).abs().max() > 1e-4
        if repeats and changes:
            return name
