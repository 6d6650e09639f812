# hint: uneven_left_out
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    found = [c for c in list(range(save_every, len(scores) + 1, save_every))[:-1] if kl[c] <= kl_budget]
    return max(found, key=lambda c: scores[c])
