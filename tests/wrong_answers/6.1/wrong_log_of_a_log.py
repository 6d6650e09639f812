# hint: log_of_a_log
import math
import torch
import torch.nn.functional as F


def dpo_losses(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    return -F.logsigmoid(beta * ((torch.log(policy_chosen) - torch.log(reference_chosen)) - (torch.log(policy_rejected) - torch.log(reference_rejected))))
