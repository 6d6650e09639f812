# hint: spread_of_sizes
import torch


def prompts_needed(before, after, change):
    import math

    spread = (after - before).abs().std().item()
    return math.ceil((1.96 * spread / change) ** 2)
