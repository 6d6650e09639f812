# hint: never_below_the_pilot
import torch


def prompts_needed(before, after, change):
    import math

    spread = (after - before).std().item()
    return max(len(before) + 1, math.ceil((1.96 * spread / change) ** 2))
