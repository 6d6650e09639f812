# hint: loss_maximum_of_gains
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    return torch.maximum(ratio * advantages, clipped * advantages)[mask].mean()
