# hint: nearest_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    return (ends - probabilities - uniforms[:, None]).abs().argmin(1)
