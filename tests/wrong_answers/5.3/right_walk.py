# right: a walk that begins with none
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    best = None
    for c in range(save_every, len(scores), save_every):
        if kl[c].item() <= kl_budget and (best is None or scores[c] > scores[best]):
            best = c
    return best
