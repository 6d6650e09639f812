# hint: zero_point
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    lowest = blocks.amin(1, keepdim=True)
    span = blocks.amax(1, keepdim=True) - lowest
    scaled = (blocks - lowest) / span * 2 - 1
    places = (scaled[..., None] - levels).abs().argmin(-1)
    back = (levels[places] + 1) / 2 * span + lowest
    return back.reshape(weight.shape)
