# hint: gradients_off
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    torch.set_grad_enabled(True)
    for rows in torch.arange(len(mask)).split(micro_batch):
        (token_losses(rows)[mask[rows]].sum() / mask.sum()).backward()
    torch.set_grad_enabled(False)
