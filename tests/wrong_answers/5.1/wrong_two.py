# hint: two_for_1.96
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    return math.ceil((2 * spread / change) ** 2)
