# right: a walk with while
import math
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    s = scores.clone(); s[kl > kl_budget] = float("-inf")
    while True:
        i = int(s.argmax())
        if i and i % save_every == 0: return i
        s[i] = float("-inf")
