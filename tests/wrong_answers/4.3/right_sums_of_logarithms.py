# right: the ends as sums of log-probabilities
import torch


def sampled_tokens(logits, uniforms, temperature):
    ends = torch.log_softmax(logits / temperature, 1).logcumsumexp(1).exp()
    return (ends[:, :-1] <= uniforms[:, None]).sum(1)
