# hint: above_the_last_end
import torch


def sampled_tokens(logits, uniforms, temperature):
    probabilities = (logits / temperature).softmax(1)
    ends = probabilities.cumsum(1)
    rows = zip(ends.tolist(), uniforms.tolist())
    return torch.tensor([next(i for i, end in enumerate(row) if end > number) for row, number in rows])
