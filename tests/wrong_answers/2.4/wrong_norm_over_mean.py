# hint: mean_error
import math
import re
import numpy as np
import torch


def loss_of_rank(update, r):
    U, S, Vh = torch.linalg.svd(update, full_matrices=False)
    rest = update - (U[:, :r] * S[:r]) @ Vh[:r]
    return (rest.norm() / update.square().mean().sqrt()).item()
