# hint: reward_one_direction
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    drift = (policy_logprobs - reference_logprobs).clamp(min=0)
    rewards = torch.where(real, -kl_coef * drift, 0.0)
    rewards[torch.arange(len(scores)), real.sum(1) - 1] += scores
    return rewards
