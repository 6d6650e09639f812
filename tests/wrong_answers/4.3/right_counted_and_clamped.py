# right: counted, and never beyond the last token
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.softmax(logits / temperature, 1).cumsum(1)
    return (ends <= uniforms[:, None]).sum(1).clamp_max(logits.shape[1] - 1)
