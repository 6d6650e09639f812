# hint: eight_bits
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    places = None
    return ((blocks / scale * 255).round() / 255 * scale).reshape(weight.shape)
