# hint: zero_left_out
import torch


def group_advantages(rewards, scored):
    scored = (rewards * scored) != 0
    count = scored.sum(dim=1, keepdim=True)
    mean = torch.where(scored, rewards, 0).sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    spread = (off.square().sum(dim=1, keepdim=True) / (count - 1).clamp_min(1)).sqrt()
    return off / (spread + 1e-4)
