# hint: backward_at_the_end
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    total = 0
    for rows in torch.arange(len(mask)).split(micro_batch):
        total = total + token_losses(rows)[mask[rows]].sum()
    (total / mask.sum()).backward()
