# hint: kl_log_of_a_logarithm
import torch


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    p, q = policy_logits.log_softmax(-1).log(), reference_logits.log_softmax(-1).log()
    kl = (p.exp() * (p - q)).sum(-1)
    return torch.where(mask, kl, 0)
