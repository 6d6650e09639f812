# hint: blocks_of_another_size
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(block_size, -1)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    places = ((blocks / scale)[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.shape)
