# hint: loss_ratio_of_logs
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = new_logprobs / old_logprobs
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - cliprange, 1 + cliprange) * advantages)
    return -gain[mask].mean()
