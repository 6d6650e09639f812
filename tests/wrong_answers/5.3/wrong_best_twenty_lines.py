# hint: tempted
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    order = scores.topk(min(20, len(scores))).indices.tolist()
    return next(c for c in order if c and c % save_every == 0 and kl[c] <= kl_budget)
