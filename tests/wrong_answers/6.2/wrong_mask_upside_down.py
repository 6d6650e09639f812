# hint: mask_upside_down
import math
import statistics
import torch


def group_advantages(rewards, scored):
    scored = ~scored
    count = scored.sum(dim=1, keepdim=True)
    mean = torch.where(scored, rewards, 0).sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    variance = off.square().sum(dim=1, keepdim=True) / (count - 1).clamp_min(1)
    return off / (variance.sqrt() + 1e-4)
