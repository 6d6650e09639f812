# hint: kl_symmetric
import torch


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    p = policy_logits.log_softmax(-1)
    q = reference_logits.log_softmax(-1)
    kl = 0.5 * ((p.exp() * (p - q)).sum(-1) + (q.exp() * (q - p)).sum(-1))
    return torch.where(mask, kl, 0)
