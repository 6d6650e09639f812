# hint: not_saved
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    within = [line for line in range(len(scores)) if kl[line] <= kl_budget]
    return max(within, key=lambda line: scores[line])
