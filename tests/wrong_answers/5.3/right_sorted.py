# right: the best first
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores), save_every)
    order = sorted(saved, key=lambda c: -scores[c].item())
    return next(c for c in order if kl[c] <= kl_budget)
