# hint: above_the_last_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    tokens = []
    for row, number in zip(ends, uniforms):
        for token, end in enumerate(row):
            if number < end:
                tokens.append(token)
                break
    return torch.tensor(tokens)
