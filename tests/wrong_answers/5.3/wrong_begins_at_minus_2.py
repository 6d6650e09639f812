# hint: bar_too_high
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    best, top = save_every, -2.0
    for c in range(save_every, len(scores), save_every):
        if kl[c] <= kl_budget and scores[c] > top:
            best, top = c, scores[c]
    return best
