# right: searchsorted, without the last end
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)[:, :-1].contiguous()
    return torch.searchsorted(ends, uniforms[:, None], right=True).squeeze(1)
