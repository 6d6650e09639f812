# hint: variance_rule
import math
import torch


def prompts_needed(before, after, change):
    s = (after.std() * (1 - torch.corrcoef(torch.stack([before, after]))[0, 1] ** 2) ** 0.5).item()
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1
