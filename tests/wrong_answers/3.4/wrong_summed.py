# hint: loss_summed
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -gain[mask].sum()
