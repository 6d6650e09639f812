# right: each micro-batch is computed once more for its backward
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    from torch.utils.checkpoint import checkpoint
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = checkpoint(token_losses, rows, use_reentrant=False)
        (losses[mask[rows]].sum() / mask.sum()).backward()
