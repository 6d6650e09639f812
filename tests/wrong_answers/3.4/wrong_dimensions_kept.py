# hint: loss_in_a_row
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    gain = torch.where(mask, gain, 0.0)
    return -gain.sum(dim=(0, 1), keepdim=True) / mask.sum()
