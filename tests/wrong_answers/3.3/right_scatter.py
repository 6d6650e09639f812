# right: one-hot of the last place
import torch


def token_rewards(scores, policy_logprobs, reference_logprobs, mask, kl_coef):
    real = mask[:, -policy_logprobs.shape[1] :]
    places = torch.arange(real.shape[1])
    is_last = places == real.sum(1, keepdim=True) - 1
    penalty = (kl_coef * (reference_logprobs - policy_logprobs)).masked_fill(~real, 0)
    return penalty + is_last * scores[:, None]
