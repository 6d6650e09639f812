# hint: multiplied_in
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(1, keepdim=True)
    places = ((blocks * scale)[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.shape)
