# hint: spread_rounded
import math
import torch


def prompts_needed(before, after, change):
    s = round((after - before).std().item(), 3)
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1
