# right: only real positions are ever looked at
import torch


def kl_per_position(policy_logits, reference_logits, mask):
    result = torch.zeros(mask.shape)
    policy = torch.distributions.Categorical(logits=policy_logits[mask])
    reference = torch.distributions.Categorical(logits=reference_logits[mask])
    result[mask] = torch.distributions.kl_divergence(policy, reference)
    return result
