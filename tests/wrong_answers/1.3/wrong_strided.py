# hint: strided_blocks
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(block_size, -1)
    scale = blocks.abs().amax(dim=0, keepdim=True)
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.shape)
