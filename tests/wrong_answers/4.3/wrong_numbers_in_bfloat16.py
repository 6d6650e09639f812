# hint: too_coarse
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    uniforms = uniforms.bfloat16()
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
