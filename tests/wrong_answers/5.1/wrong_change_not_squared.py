# hint: change_not_squared
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    x = (1.96 * s) ** 2 / change
    return math.floor(x) + 1
