# hint: rounded_up
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    best = torch.where(kl <= kl_budget, scores, -torch.inf).argmax().item()
    return -(-best // save_every) * save_every
