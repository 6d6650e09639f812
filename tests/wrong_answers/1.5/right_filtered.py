# right: first what repeats, then what changes most among it
import torch


def eight_bit_in_eval(original, runs):
    steady = {name: run for name, run in runs.items() if torch.allclose(run["again"], run["alone"], atol=1e-4)}
    changes = {name: torch.dist(run["alone"], run["in_a_batch"]).item() for name, run in steady.items()}
    return sorted(changes, key=changes.get)[-1]
