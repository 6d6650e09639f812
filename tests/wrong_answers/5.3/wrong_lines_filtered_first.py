# hint: places_shifted
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    keep = kl <= kl_budget
    s = scores[keep]
    return max(range(save_every, len(s), save_every), key=lambda c: s[c])
