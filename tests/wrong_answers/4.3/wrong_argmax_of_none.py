# hint: above_the_last_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)
    return (ends > uniforms[:, None]).int().argmax(1)
