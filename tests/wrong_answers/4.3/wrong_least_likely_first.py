# hint: likeliest_first
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    probabilities, order = probabilities.sort(1)
    ends = probabilities.cumsum(1)
    return order.gather(1, (ends[:, :-1] <= uniforms[:, None]).sum(1, keepdim=True)).squeeze(1)
