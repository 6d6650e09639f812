# hint: uneven_split
import math
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    s, k = scores.view(-1, save_every)[1:, 0], kl.view(-1, save_every)[1:, 0]
    return (int(torch.where(k <= kl_budget, s, -torch.inf).argmax()) + 1) * save_every
