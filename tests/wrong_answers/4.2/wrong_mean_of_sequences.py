# hint: mean_of_sequences
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = torch.where(mask[rows], token_losses(rows), 0)
        ((losses.sum(1) / mask[rows].sum(1)).sum() / len(mask)).backward()
