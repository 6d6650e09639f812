# hint: reward_no_penalty
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.zeros_like(policy_logprobs)
    rows = torch.arange(len(scores))
    rewards[rows, real.sum(1) - 1] += scores
    return rewards
