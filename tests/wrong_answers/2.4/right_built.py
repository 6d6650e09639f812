# right: the best update is built
import torch


def loss_of_rank(update, r):
    U, S, Vh = torch.linalg.svd(update)
    best = sum(S[i] * torch.outer(U[:, i], Vh[i]) for i in range(r))
    return ((update - best).norm() / update.norm()).item()
