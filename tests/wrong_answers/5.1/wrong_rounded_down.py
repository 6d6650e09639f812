# hint: rounded_down
import math

import torch


def prompts_needed(before, after, change):
    spread = (after - before).std().item()
    return int((1.96 * spread / change) ** 2)
