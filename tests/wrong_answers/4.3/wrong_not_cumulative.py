# hint: not_cumulative
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = torch.softmax(logits / temperature, 1)
    return (probabilities >= uniforms[:, None]).int().argmax(1)
