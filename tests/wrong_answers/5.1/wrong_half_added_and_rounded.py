# hint: none_needed
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    x = (1.96 * s / change) ** 2
    return round(x + 0.5)
