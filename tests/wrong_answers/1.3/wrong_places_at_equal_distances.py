# hint: uniform_places
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    places = ((blocks / scale + 1) / 2 * 15).round().long()
    return (levels[places] * scale).reshape(weight.shape)
