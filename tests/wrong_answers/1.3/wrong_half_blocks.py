# hint: blocks_of_another_size
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size // 2)
    s = blocks.abs().amax(1, keepdim=True)
    return (levels[((blocks / s)[..., None] - levels).abs().argmin(-1)] * s).reshape(weight.shape)
