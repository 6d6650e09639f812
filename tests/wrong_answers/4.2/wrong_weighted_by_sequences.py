# hint: weighted_by_sequences
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)[mask[rows]]
        (losses.mean() * len(rows) / len(mask)).backward()
