import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    rewards = torch.stack([policy_chosen - reference_chosen, policy_rejected - reference_rejected])
    return -(beta * rewards).log_softmax(dim=0)[0]
