# hint: divided_by_two_less
import math
import torch


def prompts_needed(before, after, change):
    s = ((after - before - (after - before).mean()).square().sum() / (len(before) - 2)).sqrt().item()
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1
