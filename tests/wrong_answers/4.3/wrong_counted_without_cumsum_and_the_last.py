# hint: not_cumulative
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = torch.softmax(logits / temperature, 1)
    return (probabilities[:, :-1] <= uniforms[:, None]).sum(1)
