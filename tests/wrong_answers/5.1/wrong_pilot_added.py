# hint: pilot_added
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    x = (1.96 * s / change) ** 2
    return math.floor(x) + 1 + len(before)
