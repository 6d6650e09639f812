# hint: mean_of_lines
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    windows = scores.view(-1, save_every).mean(1)
    drift = kl.view(-1, save_every).mean(1)
    return int(torch.where(drift <= kl_budget, windows, -torch.inf).argmax() + 1) * save_every
