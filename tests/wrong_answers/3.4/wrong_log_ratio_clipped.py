# hint: loss_log_clipped
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    change = new_logprobs - old_logprobs
    ratio, clipped = change.exp(), change.clamp(-cliprange, cliprange).exp()
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -gain[mask].mean()
