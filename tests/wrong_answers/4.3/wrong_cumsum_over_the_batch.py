# hint: over_the_batch
import torch


def sampled_tokens(logits, uniforms, temperature):
    return (torch.softmax(logits / temperature, 1).cumsum(0) <= uniforms[:, None]).sum(1)
