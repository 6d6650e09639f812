# right: 1.96 to more places
import math
import torch


def prompts_needed(before, after, change):
    from statistics import NormalDist
    z = NormalDist().inv_cdf(0.975)
    s = (after - before).std().item()
    return math.floor((z * s / change) ** 2) + 1
