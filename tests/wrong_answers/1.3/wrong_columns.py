# hint: blocks_of_columns
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.T.reshape(-1, block_size)
    scale = blocks.abs().amax(1, keepdim=True)
    places = ((blocks / scale)[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.T.shape).T
