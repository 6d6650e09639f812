# hint: spread_of_one_side
import math

import torch


def prompts_needed(before, after, change):
    return math.ceil((1.96 * after.std().item() / change) ** 2)
