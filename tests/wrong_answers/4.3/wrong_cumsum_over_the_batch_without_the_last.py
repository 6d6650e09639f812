# hint: over_the_batch
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(0)[:, :-1]
    return (ends <= uniforms[:, None]).sum(1)
