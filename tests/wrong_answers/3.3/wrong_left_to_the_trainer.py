# hint: reward_left_to_helper
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    import helpers.formulas

    real = mask[:, -policy_logprobs.shape[1] :]
    return helpers.formulas.rewards_per_token(scores, policy_logprobs, reference_logprobs, real, kl_coef)
