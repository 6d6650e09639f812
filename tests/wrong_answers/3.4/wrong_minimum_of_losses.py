# hint: loss_larger_kept
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    loss = torch.minimum(-ratio * advantages, -clipped * advantages)
    return loss[mask].mean()
