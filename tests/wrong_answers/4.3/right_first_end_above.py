# right: the first end above the random number
import torch


def sampled_tokens(logits, uniforms, temperature):
    weights = torch.exp((logits - logits.amax(1, keepdim=True)) / temperature)
    ends = weights.cumsum(1)
    return (ends > (uniforms * ends[:, -1])[:, None]).int().argmax(1)
