# hint: most_of_the_budget
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    found = [c for c in range(save_every, len(scores), save_every) if kl[c] <= kl_budget]
    return max(found, key=lambda c: kl[c])
