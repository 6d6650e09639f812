# hint: mean_not_counted
import math
import statistics
import torch


def group_advantages(rewards, scored):
    out = torch.zeros_like(rewards)
    for i in range(len(rewards)):
        group = rewards[i][scored[i]].unique()
        if len(group) > 1:
            out[i][scored[i]] = (rewards[i][scored[i]] - group.mean()) / (group.std() + 1e-4)
    return out
