# hint: too_coarse
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None] + 1e-3).sum(1)
