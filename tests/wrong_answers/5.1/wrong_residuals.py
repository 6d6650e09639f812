# hint: variance_rule
import math
import torch


def prompts_needed(before, after, change):
    b = before.double(); a = after.double()
    slope = ((b - b.mean()) * (a - a.mean())).sum() / ((b - b.mean()) ** 2).sum()
    res = a - a.mean() - slope * (b - b.mean())
    s = res.std().item()
    return math.floor((1.96 * s / change) ** 2) + 1
