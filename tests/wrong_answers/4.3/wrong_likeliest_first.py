# hint: likeliest_first
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = torch.softmax(logits / temperature, 1)
    values, tokens = probabilities.sort(dim=1, descending=True)
    places = (values.cumsum(1)[:, :-1] <= uniforms[:, None]).sum(1, keepdim=True)
    return tokens.gather(1, places).squeeze(1)
