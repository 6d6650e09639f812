# hint: error_not_value
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    s = blocks.abs().amax(1, keepdim=True)
    return (((blocks / s)[..., None] - levels).abs().min(-1).values * s).reshape(weight.shape)
