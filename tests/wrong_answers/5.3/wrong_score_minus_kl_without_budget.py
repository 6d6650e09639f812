# hint: kl_subtracted
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    within = [c for c in range(save_every, len(scores), save_every) if True]
    return max(within, key=lambda c: scores[c] - kl[c])
