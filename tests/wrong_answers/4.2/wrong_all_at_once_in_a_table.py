# hint: all_at_once
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    losses = token_losses(torch.arange(len(mask))[None])[0]
    (losses[mask].sum() / mask.sum()).backward()
