# hint: clipped
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = mask.sum()
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)
        loss = losses[mask[rows]].sum() / total
        loss.backward()
    torch.nn.utils.clip_grad_norm_([weight], 10.0)
