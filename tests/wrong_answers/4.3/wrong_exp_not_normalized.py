# hint: not_normalized
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).exp()
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
