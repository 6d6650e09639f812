# hint: one_standard_error
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    return math.ceil((spread / change) ** 2)
