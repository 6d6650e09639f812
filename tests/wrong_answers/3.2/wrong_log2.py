# hint: kl_in_bits
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p, q = policy_logits.log_softmax(-1), reference_logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1) / torch.log(torch.tensor(2.0))
    return torch.where(mask, kl, 0.0)
