# hint: running_total
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = 0
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)
        total += mask[rows].sum()
        loss = losses[mask[rows]].sum() / total
        loss.backward()
