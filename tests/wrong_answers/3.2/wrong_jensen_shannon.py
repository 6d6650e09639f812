# hint: kl_symmetric
import torch


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    p = policy_logits.log_softmax(-1)
    q = reference_logits.log_softmax(-1)
    m = ((p.exp() + q.exp()) / 2).log()
    kl = 0.5 * (p.exp() * (p - m)).sum(-1) + 0.5 * (q.exp() * (q - m)).sum(-1)
    return torch.where(mask, kl, 0)
