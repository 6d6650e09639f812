# hint: behind_the_log
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = torch.arange(save_every, len(scores) + 1, save_every)
    ok = saved[kl[saved] <= kl_budget]
    return int(ok[scores[ok].argmax()])
