import torch


def group_advantages(rewards, scored):
    known = torch.where(scored, rewards, torch.nan)
    off = known - known.nanmean(dim=1, keepdim=True)
    free = (scored.sum(dim=1, keepdim=True) - 1).clamp(min=1)
    spread = (off.square().nansum(dim=1, keepdim=True) / free) ** 0.5
    return (off / (spread + 1e-4)).nan_to_num()
