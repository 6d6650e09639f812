# hint: divided_by_spectral
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[r:].norm() / torch.linalg.matrix_norm(update, 2)).item()
