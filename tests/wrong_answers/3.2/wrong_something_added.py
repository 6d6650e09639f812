# hint: kl_guarded
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p, q = policy_logits.softmax(-1), reference_logits.softmax(-1)
    kl = (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(-1)
    return torch.where(mask, kl, 0.0)
