# hint: share_of_squares
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[r:].square().sum() / S.square().sum()).item()
