# hint: all_at_once
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = mask.sum()
    for rows in torch.arange(len(mask)).split(2):
        losses = token_losses(rows)
        loss = losses[mask[rows]].sum() / total
        loss.backward()
