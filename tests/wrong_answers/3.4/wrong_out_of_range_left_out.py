# hint: loss_left_out
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    in_range = (ratio > 1 - cliprange) & (ratio < 1 + cliprange)
    return -(ratio * advantages)[mask & in_range].mean()
