# hint: counted_as_zero
import torch


def group_advantages(rewards, scored):
    known = rewards * scored
    return (known - known.mean(dim=1, keepdim=True)) / (known.std(dim=1, keepdim=True) + 1e-4)
