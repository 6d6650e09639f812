# hint: log_probabilities
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = (logits / temperature).softmax(1).cumsum(1)
    out = torch.zeros(len(logits), dtype=torch.int64)
    for i in range(len(logits)):
        for token in range(logits.shape[1]):
            if uniforms[i] < ends[i, token]:
                out[i] = token
    return out
