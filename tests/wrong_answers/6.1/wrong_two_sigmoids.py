# hint: two_sigmoids
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = torch.nn.functional.logsigmoid(beta * (policy_chosen - reference_chosen))
    rejected = torch.nn.functional.logsigmoid(beta * (policy_rejected - reference_rejected))
    return -(chosen - rejected)
