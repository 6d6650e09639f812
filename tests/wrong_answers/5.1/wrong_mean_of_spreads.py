# hint: spread_of_all_scores
import math

import torch


def prompts_needed(before, after, change):
    spread = ((before.std() + after.std()) / 2).item()
    return math.ceil((1.96 * spread / change) ** 2)
