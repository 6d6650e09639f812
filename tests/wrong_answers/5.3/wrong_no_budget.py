# hint: over_budget
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores), save_every)
    return max(saved, key=lambda c: scores[c])
