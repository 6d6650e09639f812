# hint: counted_above
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = (logits / temperature).softmax(1).cumsum(1)
    return (ends > uniforms[:, None]).sum(1)
