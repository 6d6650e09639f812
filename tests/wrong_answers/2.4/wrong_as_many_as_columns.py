# hint: square_alone
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[-(update.shape[1] - r) :].norm() / S.norm()).item()
