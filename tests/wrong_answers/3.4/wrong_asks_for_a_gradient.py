# hint: loss_without_gradient
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    with torch.no_grad():
        ratio = (new_logprobs - old_logprobs).exp()
        gain = torch.minimum(ratio * advantages, ratio.clamp(1 - cliprange, 1 + cliprange) * advantages)
    return (-gain[mask].mean()).requires_grad_()
