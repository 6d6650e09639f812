# hint: loop_ended
import math
import statistics
import torch


def group_advantages(rewards, scored):
    out = torch.zeros_like(rewards)
    for i in range(len(rewards)):
        group = rewards[i][scored[i]]
        if len(group) < 2:
            break
        out[i][scored[i]] = (group - group.mean()) / (group.std() + 1e-4)
    return out
