# hint: beta_on_one
import math
import torch
import torch.nn.functional as F


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    return -F.logsigmoid(beta * (policy_chosen - policy_rejected) - (reference_chosen - reference_rejected))
