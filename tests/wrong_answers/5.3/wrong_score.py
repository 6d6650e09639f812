# hint: score_itself
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores), save_every)
    within = [c for c in saved if kl[c] <= kl_budget]
    return max(scores[c] for c in within)
