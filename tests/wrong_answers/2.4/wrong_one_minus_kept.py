# hint: one_minus_kept
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return 1 - (S[:r].norm() / S.norm()).item()
