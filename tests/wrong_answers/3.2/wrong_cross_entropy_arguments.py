# hint: kl_cross_entropy_swapped
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    shares = reference_logits.softmax(-1).transpose(1, 2)
    kl = torch.nn.functional.cross_entropy(policy_logits.transpose(1, 2), shares, reduction="none")
    return torch.where(mask, kl, 0.0)
