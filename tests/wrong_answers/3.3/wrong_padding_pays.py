# hint: reward_padding
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = -kl_coef * (policy_logprobs - reference_logprobs)
    rows = torch.arange(len(scores))
    rewards[rows, real.sum(1) - 1] += scores
    return rewards
