# hint: root_mean_square
import math

import torch


def prompts_needed(before, after, change):
    pairs = after - before
    spread = math.sqrt(pairs.square().sum().item() / (len(pairs) - 1))
    return math.ceil((1.96 * spread / change) ** 2)
