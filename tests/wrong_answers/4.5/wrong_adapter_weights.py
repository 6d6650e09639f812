# hint: adapter_weights
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    count = [sum(p.nbytes for p in policy_with(k).parameters() if p.requires_grad) for k in (2, 3)]
    return count[1] - count[0]
