# hint: not_one_number
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    kept, best = None, 0
    for c in range(save_every, len(scores), save_every):
        if kl[c] <= kl_budget and scores[c] > best:
            kept, best = c, scores[c]
    return kept
