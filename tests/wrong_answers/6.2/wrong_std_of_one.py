# hint: not_a_number
import torch


def group_advantages(rewards, scored):
    advantages = torch.zeros_like(rewards)
    for row, known in enumerate(scored):
        group = rewards[row, known]
        advantages[row, known] = (group - group.mean()) / (group.std() + 1e-4)
    return advantages
