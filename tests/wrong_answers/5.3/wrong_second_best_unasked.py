# hint: budget_of_another_line
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    cs = sorted(range(save_every, len(scores), save_every), key=lambda c: -scores[c])
    return cs[0] if kl[cs[0]] <= kl_budget else cs[1]
