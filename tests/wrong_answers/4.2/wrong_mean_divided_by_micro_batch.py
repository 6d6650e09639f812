# hint: means_by_micro_batch
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        loss = token_losses(rows)[mask[rows]].mean()
        (loss / micro_batch).backward()
