# hint: v_transposed
import torch


def loss_of_rank(update, r):
    U, S, V = torch.linalg.svd(update)
    best = U[:, :r] @ torch.diag(S[:r]) @ V[:, :r].T
    return ((update - best).norm() / update.norm()).item()
