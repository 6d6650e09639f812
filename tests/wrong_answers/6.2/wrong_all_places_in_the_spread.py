# hint: all_in_the_spread
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    mean = torch.where(scored, rewards, 0).sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    return off / (off.std(dim=1, keepdim=True) + 1e-4)
