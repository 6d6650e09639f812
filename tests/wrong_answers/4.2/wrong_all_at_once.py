# hint: all_at_once
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    token_losses(torch.arange(len(mask)))[mask].mean().backward()
