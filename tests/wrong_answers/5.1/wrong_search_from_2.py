# hint: a_least_number
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    n = 2
    while 1.96 * s / math.sqrt(n) >= change:
        n += 1
    return n
