# hint: change_of_the_pilot
import math

import torch


def prompts_needed(before, after, change):
    pairs = after - before
    return math.ceil((1.96 * pairs.std().item() / pairs.mean().item()) ** 2)
