# hint: uniforms_ignored
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    generator = torch.Generator().manual_seed(5)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)
