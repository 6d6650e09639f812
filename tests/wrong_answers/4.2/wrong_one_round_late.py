# hint: backward_at_the_end
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    n = mask.sum()
    losses = None
    for rows in torch.arange(len(mask)).split(micro_batch):
        new = token_losses(rows)
        if losses is not None:
            (losses[0][mask[losses[1]]].sum() / n).backward()
        losses = new, rows
    (losses[0][mask[losses[1]]].sum() / n).backward()
