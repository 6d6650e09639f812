# hint: positions_of_each
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    parts = torch.arange(len(mask)).split(micro_batch)
    for rows in parts:
        ((token_losses(rows) * mask[rows]).mean() / len(parts)).backward()
