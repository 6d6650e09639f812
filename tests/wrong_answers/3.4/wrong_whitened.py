# hint: loss_whitened
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    real = advantages[mask]
    advantages = (advantages - real.mean()) / (real.std() + 1e-8)
    ratio = torch.exp(new_logprobs - old_logprobs)
    gain = torch.min(ratio * advantages, ratio.clamp(1 - cliprange, 1 + cliprange) * advantages)
    return -gain[mask].mean()
