# hint: pair_left_out
import torch


def group_advantages(rewards, scored):
    advantages = torch.zeros_like(rewards)
    for row, known in enumerate(scored):
        group = rewards[row, known]
        if len(group) > 2:
            advantages[row, known] = (group - group.mean()) / (group.std() + 1e-4)
    return advantages
