# hint: sequences_typed_in
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = mask.sum()
    for rows in [slice(i, i + micro_batch) for i in range(0, 14, micro_batch)]:
        losses = token_losses(rows)
        loss = losses[mask[rows]].sum() / total
        loss.backward()
