# hint: lone_response
import torch


def group_advantages(rewards, scored):
    advantages = torch.zeros_like(rewards)
    for row, known in enumerate(scored):
        group = rewards[row, known]
        if len(group) > 1:
            group = (group - group.mean()) / (group.std() + 1e-4)
        advantages[row, known] = group
    return advantages
