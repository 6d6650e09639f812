# hint: in_a_list
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)[:, :-1]
    return [int((row <= u).sum()) for row, u in zip(ends, uniforms)]
