# hint: uneven_left_out
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    n = len(scores) // save_every
    found = [k * save_every for k in range(1, n) if kl[k * save_every] <= kl_budget]
    return max(found, key=lambda c: scores[c])
