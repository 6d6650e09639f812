# hint: not_cumulative
import torch


def sampled_tokens(logits, uniforms, temperature):
    return (torch.softmax(logits / temperature, 1) <= uniforms[:, None]).sum(1)
