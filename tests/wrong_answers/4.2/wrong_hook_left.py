# hint: hook_left
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    weight.register_hook(lambda g: g / mask.sum())
    for rows in torch.arange(len(mask)).split(micro_batch):
        token_losses(rows)[mask[rows]].sum().backward()
