# hint: 99_percent
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    x = (2.576 * s / change) ** 2
    return math.floor(x) + 1
