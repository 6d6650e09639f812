# right: lines counted from 1
import torch


def best_checkpoint(scores, kl, save_every, kl_budget):
    from functools import reduce
    s, k = [None, *scores.tolist()], [None, *kl.tolist()]
    last = len(scores)
    checkpoints = [u for u in range(1, last + 1) if u % save_every == 0 and u + 1 <= last]
    fit = [u for u in checkpoints if k[u + 1] <= kl_budget]
    return reduce(lambda a, b: b if s[b + 1] > s[a + 1] else a, fit)
