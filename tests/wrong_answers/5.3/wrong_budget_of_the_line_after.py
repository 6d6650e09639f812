# hint: budget_of_another_line
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores) - 1, save_every)
    within = [c for c in saved if kl[c + 1] <= kl_budget]
    return max(within, key=lambda c: scores[c])
