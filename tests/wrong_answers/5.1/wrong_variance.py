# hint: variance_for_spread
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).var().item()
    return math.ceil((1.96 * spread / change) ** 2)
