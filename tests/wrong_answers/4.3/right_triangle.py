# right: sums by a matrix of ones, in float64
import torch


def sampled_tokens(logits, uniforms, temperature):
    p = (logits / temperature).double().softmax(1)
    tri = torch.ones(p.shape[1], p.shape[1], dtype=p.dtype).triu()
    ends = torch.einsum("bv,vw->bw", p, tri)
    return (ends[:, :-1] <= uniforms[:, None].double()).sum(dim=1)
