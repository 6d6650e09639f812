# hint: no_gradient
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = 0
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)[mask[rows]]
        total = total + losses.sum() / mask.sum()
    return total
