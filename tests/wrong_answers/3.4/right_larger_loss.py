# right: the larger of two losses, padding filled and not counted
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    ratio = torch.exp(new_logprobs) / torch.exp(old_logprobs)
    loss = torch.maximum(-advantages * ratio, -advantages * torch.clamp(ratio, 1 - cliprange, 1 + cliprange))
    return torch.where(mask, loss, 0.0).sum() / mask.sum()
