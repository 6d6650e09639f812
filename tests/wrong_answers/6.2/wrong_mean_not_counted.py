# hint: mean_not_counted
import math
import statistics
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    mean = torch.where(scored, rewards, 0).sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    free = ((off != 0).sum(dim=1, keepdim=True) - 1).clamp_min(1)
    variance = off.square().sum(dim=1, keepdim=True) / free
    return off / (variance.sqrt() + 1e-4)
