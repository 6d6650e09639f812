# right: a mask and argmax
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    judged = torch.where(kl <= kl_budget, scores, float("-inf"))[save_every::save_every]
    return (judged.argmax() + 1) * save_every
