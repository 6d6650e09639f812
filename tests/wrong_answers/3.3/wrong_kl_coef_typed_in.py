# hint: reward_kl_coef_typed_in
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    rewards = torch.where(real, -0.1 * (policy_logprobs - reference_logprobs), 0)
    rewards[torch.arange(len(scores)), real.sum(1) - 1] += scores
    return rewards
