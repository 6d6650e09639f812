# hint: one_too_few
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)
    return (ends <= uniforms[:, None]).sum(1) - 1
