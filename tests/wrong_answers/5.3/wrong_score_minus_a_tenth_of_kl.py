# hint: kl_subtracted
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    found = [c for c in range(save_every, len(scores), save_every) if kl[c] <= kl_budget]
    return max(found, key=lambda c: scores[c] - 0.1 * kl[c])
