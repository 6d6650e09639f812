# right: the run that repeats least is out, and of the others the one that a batch moves most
import torch


def eight_bit_in_eval(original, runs):
    worst = max(runs, key=lambda n: torch.dist(runs[n]["alone"], runs[n]["again"]).item())
    rest = {n: r for n, r in runs.items() if n != worst}
    return max(rest, key=lambda n: torch.dist(rest[n]["alone"], rest[n]["in_a_batch"]).item())
