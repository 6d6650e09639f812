# hint: one_too_many
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    n = 2
    while 1.96 * s / math.sqrt(n - 1) >= change:
        n += 1
    return n
