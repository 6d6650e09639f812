# hint: kl_log_of_a_logarithm
import torch
import torch.nn.functional as F


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    kl = F.kl_div(reference_logits.log_softmax(-1), policy_logits.log_softmax(-1), reduction="none").sum(-1)
    return torch.where(mask, kl, 0)
