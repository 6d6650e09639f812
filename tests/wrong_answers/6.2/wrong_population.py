# hint: of_population
import torch


def group_advantages(rewards, scored):
    count = scored.sum(dim=1, keepdim=True)
    known = torch.where(scored, rewards, 0)
    mean = known.sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    spread = (off.square().sum(dim=1, keepdim=True) / count).sqrt()
    return off / (spread + 1e-4)
