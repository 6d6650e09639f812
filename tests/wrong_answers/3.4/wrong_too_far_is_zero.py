# hint: loss_left_out
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    too_far = ((ratio > 1 + cliprange) & (advantages > 0)) | ((ratio < 1 - cliprange) & (advantages < 0))
    gain = (ratio * advantages).masked_fill(too_far, 0.0)
    return -gain[mask].mean()
