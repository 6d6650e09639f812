# hint: columns
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=0)
    known = torch.where(scored, rewards, 0)
    mean = known.sum(dim=0) / count
    off = torch.where(scored, rewards - mean, 0)
    spread = (off.square().sum(dim=0) / (count - 1).clamp_min(1)).sqrt()
    return off / (spread + 1e-4)
