# right: the mean as a sum with weights
import math
import statistics
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    weights = scored / count
    mean = (torch.where(scored, rewards, 0) * weights).sum(dim=1, keepdim=True)
    off = torch.where(scored, rewards - mean, 0)
    variance = off.square().sum(dim=1, keepdim=True) / (count - 1).clamp_min(1)
    return off / (variance.sqrt() + 1e-4)
