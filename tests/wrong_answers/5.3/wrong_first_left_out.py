# hint: first_left_out
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(2 * save_every, len(scores), save_every)
    within = [c for c in saved if kl[c] <= kl_budget]
    return max(within, key=lambda c: scores[c])
