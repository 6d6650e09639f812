# hint: counted_as_zero
import torch


def group_advantages(rewards, scored):
    known = torch.where(scored, rewards, 0)
    off = known - known.mean(dim=1, keepdim=True)
    return torch.where(scored, off / (known.std(dim=1, keepdim=True) + 1e-4), 0)
