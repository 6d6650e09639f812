# hint: reward_full_row
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.where(real, -kl_coef * (policy_logprobs - reference_logprobs), 0.0)
    for row, score in enumerate(scores):
        rewards[row, real[row].tolist().index(False) - 1] += score
    return rewards
