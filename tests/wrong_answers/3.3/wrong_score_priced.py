# hint: reward_score_priced
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.where(real, -kl_coef * (policy_logprobs - reference_logprobs), 0.0)
    last = real.sum(1) - 1
    rewards[torch.arange(len(scores)), last] += kl_coef * scores
    return rewards
