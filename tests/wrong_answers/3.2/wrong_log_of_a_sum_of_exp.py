# hint: kl_underflow
import torch


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    p = policy_logits - policy_logits.exp().sum(-1, keepdim=True).log()
    q = reference_logits - reference_logits.exp().sum(-1, keepdim=True).log()
    kl = (p.exp() * (p - q)).sum(-1)
    return torch.where(mask, kl, 0)
