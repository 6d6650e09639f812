# hint: directions_counted
import torch


def loss_of_rank(update, r):
    return 1 - r / min(update.shape)
