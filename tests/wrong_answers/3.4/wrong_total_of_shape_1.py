# hint: loss_in_a_row
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = (new_logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    total = torch.zeros(1)
    for row, real in zip(gain, mask):
        total = total - row[real].sum()
    return total / mask.sum()
