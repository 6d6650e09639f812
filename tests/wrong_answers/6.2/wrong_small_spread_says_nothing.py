# hint: small_spread
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    known = torch.where(scored, rewards, 0)
    mean = known.sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    spread = (off.square().sum(dim=1, keepdim=True) / (count - 1).clamp(min=1)).sqrt()
    return torch.where(spread > 0.1, off / (spread + 1e-4), 0)
