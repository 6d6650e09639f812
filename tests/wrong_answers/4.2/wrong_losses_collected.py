# hint: backward_at_the_end
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    losses = [token_losses(rows)[mask[rows]] for rows in torch.arange(len(mask)).split(micro_batch)]
    torch.cat(losses).mean().backward()
