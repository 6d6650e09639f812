# hint: overflow
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = (policy_chosen.exp() / reference_chosen.exp()).log()
    rejected = (policy_rejected.exp() / reference_rejected.exp()).log()
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected))
