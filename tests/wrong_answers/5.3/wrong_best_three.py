# hint: first_unchecked
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    cs = sorted(range(save_every, len(scores), save_every), key=lambda c: -scores[c])
    for c in cs[:3]:
        if kl[c] <= kl_budget: return c
    return save_every
