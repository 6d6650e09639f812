# hint: not_masked_again
import torch


def group_advantages(rewards, scored):
    r = torch.where(scored, rewards, 0)
    count = scored.sum(dim=1, keepdim=True)
    mean = r.sum(dim=1, keepdim=True) / count
    off = rewards - mean
    spread = (off.square().sum(dim=1, keepdim=True) / (count - 1).clamp_min(1)).sqrt()
    return off / (spread + 1e-4)
