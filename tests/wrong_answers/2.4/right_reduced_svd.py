# right: the rest is built, from a reduced svd
import torch


def loss_of_rank(update, r):
    U, S, Vh = torch.linalg.svd(update, full_matrices=False)
    S[:r] = 0
    return (U @ torch.diag(S) @ Vh).norm() / update.norm()
