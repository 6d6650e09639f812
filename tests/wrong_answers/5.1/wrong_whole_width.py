# hint: whole_width
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    return math.ceil((2 * 1.96 * spread / change) ** 2)
