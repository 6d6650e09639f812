# hint: square_alone
import torch


def loss_of_rank(update, r):
    S = torch.linalg.svdvals(update)
    lost = sum(S[i] ** 2 for i in range(r, len(update)))
    return (lost.sqrt() / update.norm()).item()
