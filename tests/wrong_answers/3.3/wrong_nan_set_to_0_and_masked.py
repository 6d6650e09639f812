# hint: reward_nan_at_padding
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    kl = policy_logprobs - reference_logprobs
    kl[kl.isnan()] = 0
    rewards = -kl_coef * kl * real
    rewards[torch.arange(len(scores)), real.sum(1) - 1] += scores
    return rewards
