# hint: no_temperature
import torch


def sampled_tokens(logits, uniforms, temperature):
    return (torch.softmax(logits, 1).cumsum(1) <= uniforms[:, None]).sum(1)
