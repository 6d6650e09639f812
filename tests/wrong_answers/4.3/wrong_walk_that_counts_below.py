# hint: end_left_out
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    tokens = []
    for row, number in zip(ends, uniforms):
        token = 0
        while row[token] < number:
            token += 1
        tokens.append(token)
    return torch.tensor(tokens)
