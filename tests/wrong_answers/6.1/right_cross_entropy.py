# right: binary cross-entropy
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    return torch.nn.functional.binary_cross_entropy_with_logits(margin, torch.ones_like(margin), reduction='none')
