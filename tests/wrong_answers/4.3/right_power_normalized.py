# right: a power of the softmax, divided by its sum
import torch


def sampled_tokens(logits, uniforms, temperature):
    p = logits.softmax(1) ** (1 / temperature)
    p = p / p.sum(1, keepdim=True)
    return (p.cumsum(1) <= uniforms[:, None]).sum(1).clamp_max(p.shape[1] - 1)
