# hint: overflow
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = policy_chosen - reference_chosen
    rejected = policy_rejected - reference_rejected
    odds = torch.exp(beta * (chosen - rejected))
    return torch.log(1 + 1 / odds)
