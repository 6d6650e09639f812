# hint: last_left_out
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = list(range(save_every, len(scores), save_every))[:-1]
    within = [c for c in saved if kl[c] <= kl_budget]
    return max(within, key=lambda c: scores[c])
