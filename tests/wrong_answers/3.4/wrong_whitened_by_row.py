# hint: loss_whitened
import torch


def clipped_loss(new_logprobs: torch.Tensor, old_logprobs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, cliprange: float) -> torch.Tensor:
    ratio = (new_logprobs - old_logprobs).exp()
    advantages = (advantages - advantages.mean(1, keepdim=True)) / (advantages.std(1, keepdim=True) + 1e-8)
    plain = ratio * advantages
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange) * advantages
    gain = torch.minimum(plain, clipped)
    return -gain[mask].mean()
