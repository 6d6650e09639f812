# hint: kl_at_padding
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p = policy_logits.log_softmax(-1)
    q = reference_logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)
