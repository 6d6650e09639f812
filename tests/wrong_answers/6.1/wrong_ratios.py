# hint: of_ratios
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen, rejected = (policy_chosen - reference_chosen).exp(), (policy_rejected - reference_rejected).exp()
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected))
