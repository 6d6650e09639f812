# right: the best level so far, one level after the other
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    s = torch.maximum(blocks.amax(1, keepdim=True), -blocks.amin(1, keepdim=True))
    v = blocks / s
    best = torch.full_like(v, 9.0)
    for level in levels:
        best = torch.where((v - level).abs() < (v - best).abs(), level, best)
    return (best * s).reshape_as(weight)
