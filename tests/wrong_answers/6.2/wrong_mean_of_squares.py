# hint: digits_lost
import math
import statistics
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    kept = torch.where(scored, rewards, 0)
    mean = kept.sum(dim=1, keepdim=True) / count
    variance = (kept.square().sum(dim=1, keepdim=True) - count * mean.square()) / (count - 1).clamp_min(1)
    return torch.where(scored, (rewards - mean) / (variance.sqrt() + 1e-4), 0)
