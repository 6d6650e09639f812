# hint: other_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).flip(1).cumsum(1)
    return logits.shape[1] - 1 - (ends <= uniforms[:, None]).sum(1)
