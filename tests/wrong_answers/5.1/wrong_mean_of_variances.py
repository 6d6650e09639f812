# hint: spread_of_all_scores
import math

import torch


def prompts_needed(before, after, change):
    spread = math.sqrt((before.var().item() + after.var().item()) / 2)
    return math.floor((1.96 * spread / change) ** 2) + 1
