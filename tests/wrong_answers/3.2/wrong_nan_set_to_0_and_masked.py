# hint: kl_nan_at_padding
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p, q = policy_logits.log_softmax(-1), reference_logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1)
    kl[kl.isnan()] = 0
    return kl * mask
