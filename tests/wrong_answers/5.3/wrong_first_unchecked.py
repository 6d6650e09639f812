# hint: first_unchecked
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    best = save_every
    for c in range(2 * save_every, len(scores), save_every):
        if kl[c] <= kl_budget and scores[c] > scores[best]:
            best = c
    return best
