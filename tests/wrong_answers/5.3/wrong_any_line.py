# hint: not_saved
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    return torch.where(kl <= kl_budget, scores, -9).argmax() + 1
