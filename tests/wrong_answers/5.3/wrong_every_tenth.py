# hint: not_saved
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    within = [c for c in range(10, len(scores), 10) if kl[c] <= kl_budget]
    return max(within, key=lambda c: scores[c])
