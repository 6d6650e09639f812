# hint: count_of_blocks
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.unflatten(1, (block_size, -1))
    scale = blocks.abs().amax(dim=2, keepdim=True)
    nearest = ((blocks / scale).unsqueeze(-1) - levels).abs().argmin(dim=-1)
    return (levels[nearest] * scale).flatten(1)
