# hint: own_random_numbers
import torch


def sampled_tokens(logits, uniforms, temperature):
    return torch.multinomial(torch.softmax(logits / temperature, 1), 1).squeeze(1)
