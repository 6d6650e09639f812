# right: by torch.svd, which returns V as it is
import torch


def loss_of_rank(update, r):
    U, S, V = torch.svd(update)
    best = U[:, :r] @ torch.diag(S[:r]) @ V[:, :r].T
    return ((update - best).norm() / update.norm()).item()
