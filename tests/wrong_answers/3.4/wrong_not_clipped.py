# hint: loss_not_clipped
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    return -(ratio * advantages)[mask].mean()
