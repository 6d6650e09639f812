# hint: loss_one_side
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(max=1 + cliprange)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -gain[mask].mean()
