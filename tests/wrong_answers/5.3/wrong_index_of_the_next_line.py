# hint: next_line
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    c = [u for u in range(save_every, len(scores) - 1, save_every) if kl[u + 1] <= kl_budget]
    return max(c, key=lambda u: scores[u + 1])
