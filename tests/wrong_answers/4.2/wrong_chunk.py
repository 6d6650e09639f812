# hint: all_at_once
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).chunk(micro_batch):
        losses = token_losses(rows)[mask[rows]]
        (losses.sum() / mask.sum()).backward()
