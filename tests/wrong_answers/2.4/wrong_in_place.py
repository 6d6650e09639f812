# hint: inputs_changed
import torch


def loss_of_rank(update, r):
    U, S, Vh = torch.linalg.svd(update)
    size = update.norm()
    update -= U[:, :r] @ torch.diag(S[:r]) @ Vh[:r]
    return (update.norm() / size).item()
