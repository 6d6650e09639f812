# hint: reward_differences_of_probabilities
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.where(real, -kl_coef * (policy_logprobs.exp() - reference_logprobs.exp()), 0)
    rewards[torch.arange(len(scores)), real.sum(1) - 1] += scores
    return rewards
