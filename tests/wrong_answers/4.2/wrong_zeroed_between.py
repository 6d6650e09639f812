# hint: zeroed_between
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        weight.grad = None
        losses = token_losses(rows)[mask[rows]]
        (losses.sum() / mask.sum()).backward()
