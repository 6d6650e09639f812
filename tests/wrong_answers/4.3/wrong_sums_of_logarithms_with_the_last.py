# hint: log_probabilities
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.log_softmax(logits / temperature, 1).cumsum(1)
    return (ends <= uniforms[:, None]).sum(1)
