# hint: positions_of_each
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        (token_losses(rows) * mask[rows]).mean().backward()
