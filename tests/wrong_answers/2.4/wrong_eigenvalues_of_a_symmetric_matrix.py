# hint: eigenvalues
import torch


def loss_of_rank(update, r):
    values = torch.linalg.eigvalsh(update).abs().sort(descending=True).values
    return (values[r:].norm() / values.norm()).item()
