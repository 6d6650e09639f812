# hint: means_without_the_last
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    steps = len(mask) // micro_batch
    for step in range(steps):
        rows = slice(step * micro_batch, (step + 1) * micro_batch)
        (token_losses(rows)[mask[rows]].mean() / steps).backward()
