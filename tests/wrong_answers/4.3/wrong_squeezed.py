# hint: one_row
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = (logits / temperature).softmax(1).cumsum(1)[:, :-1].contiguous()
    return torch.searchsorted(ends, uniforms[:, None], right=True).squeeze()
