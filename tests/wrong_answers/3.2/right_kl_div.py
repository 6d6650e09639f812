# right: torch's kl_div, its arguments the other way round
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    p = policy_logits.log_softmax(-1)
    q = reference_logits.log_softmax(-1)
    kl = torch.nn.functional.kl_div(q, p, log_target=True, reduction="none").sum(-1)
    return kl.masked_fill(~mask, 0.0)
