# hint: other_loss
import math
import torch
import torch.nn.functional as F


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    return torch.relu(1 - margin)
