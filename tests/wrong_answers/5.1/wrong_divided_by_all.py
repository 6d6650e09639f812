# hint: divided_by_all
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std(correction=0).item()
    return math.ceil((1.96 * spread / change) ** 2)
