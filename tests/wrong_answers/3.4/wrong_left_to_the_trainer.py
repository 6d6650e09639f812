# hint: loss_left_to_helper
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    from helpers.formulas import policy_losses

    return policy_losses(new_logprobs, old_logprobs, advantages, cliprange)[mask].mean()
