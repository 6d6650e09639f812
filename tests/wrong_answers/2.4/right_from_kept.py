# right: from what is kept, as squares
import torch


def loss_of_rank(update, r):
    squares = torch.linalg.svdvals(update.double()) ** 2
    return (1 - squares[:r].sum() / squares.sum()).sqrt()
