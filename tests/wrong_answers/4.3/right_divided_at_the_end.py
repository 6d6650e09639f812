# right: the row's maximum off, and the sums divided by the last
import torch


def sampled_tokens(logits, uniforms, temperature):
    z = (logits - logits.max(1, keepdim=True).values).div(temperature).exp().cumsum(1)
    z = z / z[:, -1:]
    return torch.searchsorted(z, uniforms[:, None], right=True).flatten().clamp(max=logits.size(1) - 1)
