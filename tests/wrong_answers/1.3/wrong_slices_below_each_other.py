# hint: blocks_moved
import torch


def nf4_round_trip(weight, levels, block_size):
    parts = []
    for part in weight.split(block_size, dim=1):
        s = part.abs().amax(1, keepdim=True)
        parts.append(levels[((part / s)[..., None] - levels).abs().argmin(-1)] * s)
    return torch.cat(parts).reshape(weight.shape)
