# hint: loss_padding
import torch


def clipped_loss(new_logprobs: torch.Tensor, old_logprobs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, cliprange: float) -> torch.Tensor:
    ratio = (new_logprobs - old_logprobs).exp()
    plain = ratio * advantages
    clipped = ratio.clamp(1 - cliprange, 1 + cliprange) * advantages
    gain = torch.minimum(plain, clipped)
    return -gain.sum() / mask.sum()
