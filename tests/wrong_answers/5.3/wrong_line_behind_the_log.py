# hint: behind_the_log
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    within = [c for c in range(save_every, len(scores) + 1, save_every) if kl[c] <= kl_budget]
    return max(within, key=lambda c: scores[c])
