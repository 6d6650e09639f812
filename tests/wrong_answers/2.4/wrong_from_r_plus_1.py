# hint: one_too_many
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[r + 1 :].norm() / S.norm()).item()
