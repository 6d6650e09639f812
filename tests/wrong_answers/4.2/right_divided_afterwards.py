# right: gradients of sums, divided once at the end
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        torch.masked_select(token_losses(rows), mask[rows]).sum().backward()
    weight.grad /= mask.sum()
