# hint: cut_off
import torch


def sampled_tokens(logits, uniforms, temperature):
    logits = logits / temperature
    least = logits.topk(min(50, logits.shape[1]), 1).values[:, -1:]
    ends = logits.masked_fill(logits < least, -torch.inf).softmax(1).cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
