# right: a search
import math

import torch


def prompts_needed(before, after, change):
    pairs, n = after - before, 1
    while 1.96 * pairs.std().item() >= change * n**0.5:
        n += 1
    return n
