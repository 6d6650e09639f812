# hint: kl_guarded
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p, q = policy_logits.softmax(-1) + 1e-12, reference_logits.softmax(-1) + 1e-12
    return torch.where(mask, (p * (p.log() - q.log())).sum(-1), 0)
