# hint: other_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)[:, :-1]
    return (ends <= (1 - uniforms)[:, None]).sum(1)
