# hint: no_softmax
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = (logits / temperature).cumsum(1)[:, :-1]
    return (ends <= uniforms[:, None]).sum(1)
