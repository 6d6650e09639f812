# hint: root_mean_square
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).square().mean().sqrt().item()
    return math.ceil((1.96 * spread / change) ** 2)
