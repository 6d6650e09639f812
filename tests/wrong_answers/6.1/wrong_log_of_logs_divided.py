# hint: logs_divided
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = (policy_chosen / reference_chosen).log()
    rejected = (policy_rejected / reference_rejected).log()
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected))
