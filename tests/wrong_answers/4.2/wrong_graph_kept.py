# hint: backward_at_the_end
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    kept = []
    for rows in torch.arange(len(mask)).split(micro_batch):
        kept.append(token_losses(rows)[mask[rows]].sum() / mask.sum())
        kept[-1].backward(retain_graph=True)
