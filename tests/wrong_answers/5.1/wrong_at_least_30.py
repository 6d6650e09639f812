# hint: a_least_number
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    x = (1.96 * s / change) ** 2
    return max(math.floor(x) + 1, 30)
