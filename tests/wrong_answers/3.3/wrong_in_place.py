# hint: inputs_changed
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    policy_logprobs.sub_(reference_logprobs).mul_(-kl_coef).mul_(real)
    rows = torch.arange(len(scores))
    policy_logprobs[rows, real.sum(1) - 1] += scores
    return policy_logprobs
