# hint: backward_at_the_end
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = sum(token_losses(i)[mask[i]].sum() for i in range(len(mask)))
    (total / mask.sum()).backward()
