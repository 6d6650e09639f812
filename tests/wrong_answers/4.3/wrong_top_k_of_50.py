# hint: cut_off
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    k = min(50, logits.shape[1])
    v = probabilities.topk(k, 1).values[:, -1:]
    probabilities = torch.where(probabilities >= v, probabilities, 0)
    probabilities = probabilities / probabilities.sum(1, keepdim=True)
    ends = probabilities.cumsum(1)
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
