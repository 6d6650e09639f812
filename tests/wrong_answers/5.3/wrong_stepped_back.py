# hint: stepped_back
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    best = max(range(save_every, len(scores), save_every), key=lambda c: scores[c])
    while kl[best] > kl_budget:
        best -= save_every
    return best
