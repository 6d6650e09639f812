# right: slices of rows, one backward at the end of each, the mask as a factor
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    share = mask.float() / mask.sum()
    for start in range(0, len(mask), micro_batch):
        part = slice(start, start + micro_batch)
        (token_losses(part) * share[part]).sum().backward()
