# right: autograd.grad of each micro-batch, added by hand; the losses stay in a variable
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    weight.grad = torch.zeros_like(weight)
    for start in range(0, len(mask), micro_batch):
        rows = torch.arange(start, min(start + micro_batch, len(mask)))
        losses = token_losses(rows)
        (share,) = torch.autograd.grad(losses[mask[rows]].sum() / mask.sum(), weight)
        weight.grad += share
