# hint: variance_rule
import math
import torch


def prompts_needed(before, after, change):
    s = (before.std() * math.sqrt(2 * (1 - torch.corrcoef(torch.stack([before, after]))[0, 1]))).item()
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1
