# right: a loop over the tokens
import torch


def kl_per_position(policy_logits: torch.Tensor, reference_logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    out = torch.zeros(mask.shape)
    for b in range(mask.shape[0]):
        for t in range(mask.shape[1]):
            if mask[b, t]:
                p = policy_logits[b, t] - policy_logits[b, t].logsumexp(0)
                q = reference_logits[b, t] - reference_logits[b, t].logsumexp(0)
                out[b, t] = (p.exp() * (p - q)).sum()
    return out
