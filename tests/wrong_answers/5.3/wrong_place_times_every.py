# hint: one_too_early
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    s = scores[save_every::save_every]
    k = kl[save_every::save_every]
    return int(torch.where(k <= kl_budget, s, -torch.inf).argmax()) * save_every
