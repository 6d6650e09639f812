# hint: spread_of_all_scores
import math

import torch


def prompts_needed(before, after, change):
    spread = torch.cat([before, after]).std().item()
    return math.ceil((1.96 * spread / change) ** 2)
