# hint: beyond_the_pilot
import torch


def prompts_needed(before, after, change):
    import math

    spread = (after - before).std().item()
    return math.ceil((1.96 * spread / change) ** 2) - len(before)
