# hint: not_saved
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    lines = [line for line in range(save_every - 1, len(kl), save_every) if kl[line] <= kl_budget]
    return max(lines, key=lambda line: scores[line])
