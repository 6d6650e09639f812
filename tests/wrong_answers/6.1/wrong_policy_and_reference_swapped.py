# hint: swapped
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    return -torch.nn.functional.logsigmoid(beta * ((reference_chosen - policy_chosen) - (reference_rejected - policy_rejected)))
