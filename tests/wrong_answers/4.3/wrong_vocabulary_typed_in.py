# hint: cut_off
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    return (ends <= uniforms[:, None]).sum(1).clamp(max=11)
