# hint: outliers_dropped
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before)[((after - before) - (after - before).mean()).abs() < 3 * (after - before).std()].std().item()
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1
