# right: all positions at once, those of -inf too
import torch
from torch.distributions import Categorical, kl_divergence


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    kl = kl_divergence(Categorical(logits=policy_logits), Categorical(logits=reference_logits))
    return torch.where(mask, kl, torch.zeros_like(kl))
