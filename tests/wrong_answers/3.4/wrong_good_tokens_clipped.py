# hint: loss_bad_not_clipped
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    gain = torch.where(advantages > 0, clipped * advantages, ratio * advantages)
    return -gain[mask].mean()
