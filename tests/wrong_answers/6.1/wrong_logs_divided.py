# hint: logs_divided
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    return -torch.nn.functional.logsigmoid(beta * (policy_chosen / reference_chosen - policy_rejected / reference_rejected))
