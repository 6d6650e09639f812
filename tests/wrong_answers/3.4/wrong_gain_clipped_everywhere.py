# hint: loss_gain_clipped
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    gain = (ratio * advantages).clamp(1 - cliprange, 1 + cliprange)
    return -gain[mask].mean()
