# hint: overflow
import torch


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = beta * (policy_chosen - reference_chosen)
    rejected = beta * (policy_rejected - reference_rejected)
    return (chosen.exp() + rejected.exp()).log() - chosen
