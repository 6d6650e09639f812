# hint: spread_of_one_side
import math

import torch


def prompts_needed(before, after, change):
    return math.ceil((1.96 * before.std().item() / change) ** 2)
