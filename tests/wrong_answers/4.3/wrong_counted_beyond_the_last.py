# hint: above_the_last_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    return (torch.softmax(logits / temperature, 1).cumsum(1) <= uniforms[:, None]).sum(1)
