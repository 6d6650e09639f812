# hint: loss_bounded
import torch


def clipped_loss(new_logprobs: torch.Tensor, old_logprobs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, cliprange: float) -> torch.Tensor:
    ratio = (new_logprobs - old_logprobs).exp().clamp(max=10)
    plain = ratio * advantages
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange) * advantages
    gain = torch.minimum(plain, clipped)
    return -gain[mask].mean()
