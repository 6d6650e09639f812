# hint: reward_one_column
import torch


def token_rewards(scores: torch.Tensor, policy_logprobs: torch.Tensor, reference_logprobs: torch.Tensor, mask: torch.Tensor, kl_coef: float) -> torch.Tensor:
    real = mask[:, -policy_logprobs.shape[1]:]
    rewards = torch.where(real, -kl_coef * (policy_logprobs - reference_logprobs), 0)
    last = real.any(0).sum() - 1
    rewards[torch.arange(len(scores)), last] += scores
    return rewards
