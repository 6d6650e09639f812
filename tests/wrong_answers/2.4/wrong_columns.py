# hint: columns_cut
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (update[:, r:].norm() / update.norm()).item()
