# hint: margin_of_0
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = policy_chosen.exp() - reference_chosen.exp()
    rejected = policy_rejected.exp() - reference_rejected.exp()
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected))
