# hint: half_of_the_half
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    return math.ceil((1.96 / 2 * spread / change) ** 2)
