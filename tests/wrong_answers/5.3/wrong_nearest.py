# hint: nearest
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores), save_every)
    return min(saved, key=lambda c: kl[c])
