# hint: reward_k3
import torch


def token_rewards(scores: torch.Tensor, policy_logprobs: torch.Tensor, reference_logprobs: torch.Tensor, mask: torch.Tensor, kl_coef: float) -> torch.Tensor:
    real = mask[:, -policy_logprobs.shape[1]:]
    d = policy_logprobs - reference_logprobs
    rewards = torch.where(real, -kl_coef * (d.exp() - 1 - d), 0)
    last = real.sum(1) - 1
    rewards[torch.arange(len(scores)), last] += scores
    return rewards
