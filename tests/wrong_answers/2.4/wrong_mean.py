# hint: mean_error
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    return (S[r:].square().sum() / update.numel()).sqrt().item()
