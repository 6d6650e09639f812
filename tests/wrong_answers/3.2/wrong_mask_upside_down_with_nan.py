# hint: kl_mask_upside_down
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p = policy_logits.log_softmax(-1)
    q = reference_logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1)
    return torch.where(mask, 0.0, kl)
