# hint: reward_full_row
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.where(real, -kl_coef * (policy_logprobs - reference_logprobs), 0.0)
    first_padding = (~real).int().argmax(1)
    rewards[torch.arange(len(scores)), (first_padding - 1).clamp_min(0)] += scores
    return rewards
