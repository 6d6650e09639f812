# hint: bar_too_high
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    s, k = scores[save_every::save_every], kl[save_every::save_every]
    return (int(torch.where(k <= kl_budget, s, -10.0).argmax()) + 1) * save_every
