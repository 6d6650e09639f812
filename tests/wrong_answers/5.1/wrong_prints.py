# hint: not_one_number
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    print(math.ceil((1.96 * spread / change) ** 2))
