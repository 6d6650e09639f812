# hint: smallest_kept
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[:-r].norm() / S.norm()).item()
