# hint: squares_counted
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    mean = torch.where(scored, rewards, 0).sum(dim=1, keepdim=True) / count
    off = rewards - mean
    variance = off.square().sum(dim=1, keepdim=True) / (count - 1).clamp_min(1)
    return torch.where(scored, off / (variance.sqrt() + 1e-4), 0)
