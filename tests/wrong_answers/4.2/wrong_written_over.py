# hint: zeroed_between
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)[mask[rows]]
        weight.grad = torch.autograd.grad(losses.sum() / mask.sum(), weight)[0]
