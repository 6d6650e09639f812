# right: the last real token is where the mask, flipped, is true first
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.where(real, -kl_coef * (policy_logprobs - reference_logprobs), 0.0)
    last = real.shape[1] - 1 - real.flip(1).int().argmax(1)
    return rewards.scatter_add(1, last[:, None], scores[:, None])
