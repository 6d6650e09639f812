# hint: reward_mask_one_early
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    n = policy_logprobs.shape[1]
    real = mask[:, -n - 1 : -1]
    rewards = torch.where(real, -kl_coef * (policy_logprobs - reference_logprobs), 0)
    rewards[torch.arange(len(scores)), real.sum(1) - 1] += scores
    return rewards
