# hint: no_softmax
import torch


def sampled_tokens(logits, uniforms, temperature):
    return ((logits / temperature).cumsum(1) <= uniforms[:, None]).sum(1)
