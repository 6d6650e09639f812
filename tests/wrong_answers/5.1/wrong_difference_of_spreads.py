# hint: difference_of_spreads
import math

import torch


def prompts_needed(before, after, change):
    spread = abs(after.std() - before.std()).item()
    return math.floor((1.96 * spread / change) ** 2) + 1
