# right: numpy
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    import numpy as np

    u = np.arange(save_every, len(scores), save_every)
    u = u[kl.numpy()[u] <= kl_budget]
    return u[scores.numpy()[u].argmax()]
