# hint: temperature_bounded
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / max(temperature, 0.1)).softmax(1)
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
