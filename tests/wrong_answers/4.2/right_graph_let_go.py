# right: retain_graph, and all that holds the graph is deleted
import torch


def accumulated_gradient(weight, token_losses, mask, micro_batch):
    for rows in torch.arange(len(mask)).split(micro_batch):
        losses = token_losses(rows)
        loss = (losses * mask[rows]).sum() / mask.sum()
        loss.backward(retain_graph=True)
        del losses, loss
