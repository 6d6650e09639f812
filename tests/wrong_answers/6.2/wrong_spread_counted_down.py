# hint: counted_down
import torch


def group_advantages(rewards, scored):
    known = torch.where(scored, rewards, 0)
    off = torch.where(scored, rewards - known.sum(1, keepdim=True) / scored.sum(1, keepdim=True), 0)
    free = (scored.sum(dim=0) - 1).clamp_min(1)
    return off / ((off.square().sum(1, keepdim=True) / free).sqrt() + 1e-4)
