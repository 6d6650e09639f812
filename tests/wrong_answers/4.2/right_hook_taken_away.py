# right: a hook divides, and is removed
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    handle = weight.register_hook(lambda g: g / mask.sum())
    try:
        for rows in torch.arange(len(mask)).split(micro_batch):
            token_losses(rows)[mask[rows]].sum().backward()
    finally:
        handle.remove()
