# hint: places_shifted
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    s, k = scores[save_every::save_every], kl[save_every::save_every]
    return (int(s[k <= kl_budget].argmax()) + 1) * save_every
