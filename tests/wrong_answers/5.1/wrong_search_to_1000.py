# hint: not_one_number
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    for n in range(1, 1000):
        if 1.96 * s / math.sqrt(n) < change:
            return n
