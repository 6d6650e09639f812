# hint: not_squared
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[r:].sum() / S.sum()).item()
