# hint: steps_too_large
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    n = 1
    while 1.96 * s / math.sqrt(n) >= change:
        n *= 2
    return n
