# hint: kl_guarded
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p, q = policy_logits.softmax(-1), reference_logits.softmax(-1).clamp_min(1e-5)
    kl = (p * (p.clamp_min(1e-5).log() - q.log())).sum(-1)
    return torch.where(mask, kl, 0.0)
