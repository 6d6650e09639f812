# right: through the effect size, which is infinite where nothing spreads
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    x = (1.96 / (change / s)) ** 2 / (1)
    return math.floor(x) + 1
