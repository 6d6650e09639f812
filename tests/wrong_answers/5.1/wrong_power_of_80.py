# hint: power
import torch


def prompts_needed(before, after, change):
    import math

    spread = (after - before).std().item()
    return int(((1.96 + 0.84) * spread / change) ** 2) + 1
