# hint: other_gradient
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    loss = -torch.nn.functional.logsigmoid(margin)
    others = loss.flip(0)
    return loss.detach() + others - others.detach()
