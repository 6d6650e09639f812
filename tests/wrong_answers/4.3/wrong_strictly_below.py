# hint: end_left_out
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = torch.softmax(logits / temperature, 1)
    return (probabilities.cumsum(1) < uniforms[:, None]).sum(1)
