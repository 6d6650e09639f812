# hint: last_rows_dropped
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask) // micro_batch * micro_batch).split(micro_batch):
        losses = token_losses(rows)[mask[rows]]
        (losses.sum() / mask.sum()).backward()
