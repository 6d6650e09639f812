# right: a tensor of one number
import math

import torch


def prompts_needed(before, after, change):
    root = 1.96 * torch.std(after - before) / change
    return torch.floor(root * root) + 1
