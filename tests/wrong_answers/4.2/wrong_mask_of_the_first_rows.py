# hint: mask_of_other_rows
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = mask.sum()
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)
        loss = losses[mask[:len(rows)]].sum() / total
        loss.backward()
