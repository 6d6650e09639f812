# hint: not_counted_counts
import torch


def group_advantages(rewards, scored):
    spread = rewards.std(dim=1, keepdim=True)
    return (rewards - rewards.mean(dim=1, keepdim=True)) / (spread + 1e-4)
