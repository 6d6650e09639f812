# hint: one_group
import torch


def group_advantages(rewards, scored):
    known = rewards[scored]
    return torch.where(scored, (rewards - known.mean()) / (known.std() + 1e-4), 0)
