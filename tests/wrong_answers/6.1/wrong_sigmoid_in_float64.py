# hint: overflow
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    return -torch.sigmoid(margin.double()).log().float()
