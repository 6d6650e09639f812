# hint: divided_by_kept
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[r:].norm() / S[:r].norm()).item()
