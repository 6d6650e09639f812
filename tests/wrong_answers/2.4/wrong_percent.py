# hint: in_percent
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (100 * S[r:].norm() / S.norm()).item()
