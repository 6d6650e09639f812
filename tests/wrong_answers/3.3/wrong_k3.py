# hint: reward_k3
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    log_r = reference_logprobs - policy_logprobs
    rewards = torch.where(real, -kl_coef * (log_r.exp() - 1 - log_r), 0.0)
    rows = torch.arange(len(scores))
    rewards[rows, real.sum(1) - 1] += scores
    return rewards
