# hint: square_alone
import torch


def loss_of_rank(update, r):
    U, S, Vh = torch.linalg.svd(update)
    S[:r] = 0
    return ((U @ torch.diag(S) @ Vh).norm() / update.norm()).item()
