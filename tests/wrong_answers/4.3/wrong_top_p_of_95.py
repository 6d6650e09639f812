# hint: cut_off
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    sp, o = probabilities.sort(1, descending=True)
    keep = sp.cumsum(1) - sp < 0.95
    probabilities = torch.zeros_like(probabilities).scatter(1, o, sp * keep)
    probabilities = probabilities / probabilities.sum(1, keepdim=True)
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
