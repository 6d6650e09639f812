# hint: pilot_divided_twice
import math

import torch


def prompts_needed(before, after, change):
    error = (after - before).std().item() / math.sqrt(len(before))
    return math.ceil((1.96 * error / change) ** 2)
