# hint: mean_of_lines
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores), save_every)
    within = [c for c in saved if kl[c] <= kl_budget]
    return max(within, key=lambda c: scores[c - save_every : c].mean())
