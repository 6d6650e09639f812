# hint: eigenvalues
import torch


def loss_of_rank(update, r):
    values = torch.linalg.eigvals(update)
    return (values[r:].norm() / values.norm()).item()
