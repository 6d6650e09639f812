# hint: power
import torch


def prompts_needed(before, after, change):
    import math

    spread = (after - before).std().item()
    return math.ceil(((1.959964 + 0.8416212) * spread / change) ** 2)
