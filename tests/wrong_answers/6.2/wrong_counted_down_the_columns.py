# hint: counted_down
import torch


def group_advantages(rewards, scored):
    count = scored.sum(0)
    known = torch.where(scored, rewards, 0)
    off = torch.where(scored, rewards - known.sum(1, keepdim=True) / count, 0)
    spread = (off.square().sum(1, keepdim=True) / (count - 1).clamp_min(1)).sqrt()
    return off / (spread + 1e-4)
