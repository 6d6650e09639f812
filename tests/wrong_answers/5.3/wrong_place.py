# hint: place_in_list
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    judged, drift = scores[save_every::save_every], kl[save_every::save_every]
    return torch.where(drift <= kl_budget, judged, -9).argmax()
