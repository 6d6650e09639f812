# hint: counted_as_zero
import torch


def group_advantages(rewards, scored):
    r = torch.where(scored, rewards, 0)
    count = rewards.shape[1]
    mean = r.sum(dim=1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    spread = (off.square().sum(dim=1, keepdim=True) / (count - 1)).sqrt()
    return off / (spread + 1e-4)
