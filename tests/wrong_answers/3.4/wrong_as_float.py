# hint: loss_without_gradient
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    total, tokens = 0.0, 0
    for new, old, advantage in zip(new_logprobs[mask], old_logprobs[mask], advantages[mask]):
        ratio = (new - old).exp()
        total += max(-ratio * advantage, -ratio.clamp(1 - cliprange, 1 + cliprange) * advantage).item()
        tokens += 1
    return total / tokens
