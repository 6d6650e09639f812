# hint: rounded_down
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    best = torch.where(kl <= kl_budget, scores, -9).argmax().item()
    return best // save_every * save_every
