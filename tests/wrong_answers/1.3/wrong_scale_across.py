# hint: scale_across_blocks
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(0)
    places = ((blocks / scale)[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.shape)
