# hint: sorted_and_lost
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).sort(descending=True).values.cumsum(1)
    return (ends <= uniforms[:, None]).sum(1)
