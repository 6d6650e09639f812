# hint: too_coarse
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1).half()
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
