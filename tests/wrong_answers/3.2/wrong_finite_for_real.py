# hint: kl_at_padding
import torch


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    p = policy_logits.log_softmax(-1)
    q = reference_logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1)
    return torch.where(kl.isfinite(), kl, 0)
