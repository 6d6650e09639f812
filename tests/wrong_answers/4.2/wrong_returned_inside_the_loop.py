# hint: first_alone
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)[mask[rows]]
        (losses.sum() / mask.sum()).backward()
        return weight.grad
