# hint: kl_of_logits
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    return torch.where(mask, (policy_logits.exp() * (policy_logits - reference_logits)).sum(-1), 0.0)
