# hint: search_ended
import math
import torch


def prompts_needed(before, after, change):
    s = (after - before).std().item()
    for n in range(1, 400):
        if 1.96 * s / math.sqrt(n) < change:
            return n
    return 400
