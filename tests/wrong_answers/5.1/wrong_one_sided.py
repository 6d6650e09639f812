# hint: one_sided
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    return math.ceil((1.645 * spread / change) ** 2)
