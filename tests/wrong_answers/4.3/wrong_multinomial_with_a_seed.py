# hint: uniforms_ignored
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    torch.manual_seed(0)
    return torch.multinomial(probabilities, 1).squeeze(1)
