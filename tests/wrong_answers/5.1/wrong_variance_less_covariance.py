# hint: variance_rule
import math
import torch


def prompts_needed(before, after, change):
    s = math.sqrt(after.var() - torch.cov(torch.stack([before, after]))[0, 1])
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1
