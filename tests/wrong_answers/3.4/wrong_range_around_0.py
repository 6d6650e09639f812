# hint: loss_range_around_0
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(-cliprange, cliprange) * advantages)
    return -gain[mask].mean()
