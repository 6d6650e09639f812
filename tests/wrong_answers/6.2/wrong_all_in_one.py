# hint: one_group
import math
import statistics
import torch


def group_advantages(rewards, scored):
    return torch.where(scored, (rewards - rewards.mean()) / (rewards.std() + 1e-4), 0)
