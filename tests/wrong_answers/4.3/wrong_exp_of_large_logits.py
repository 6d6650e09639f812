# hint: exp_overflows
import torch


def sampled_tokens(logits, uniforms, temperature):
    weights = (logits / temperature).exp()
    probabilities = weights / weights.sum(1, keepdim=True)
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
