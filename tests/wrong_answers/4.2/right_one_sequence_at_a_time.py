# right: one sequence at a time, asked for by its number, so that its losses have one dimension
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    n = mask.sum()
    for i in range(len(mask)):
        (token_losses(i)[mask[i]].sum() / n).backward()
