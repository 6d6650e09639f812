# hint: one_too_many
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)
    return (torch.searchsorted(ends, uniforms[:, None], right=True).squeeze(1) + 1).clamp_max(logits.shape[1] - 1)
