# hint: not_the_largest
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = (blocks.amax(1, keepdim=True) - blocks.amin(1, keepdim=True)) / 2
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    back = levels[places] * scale
    return back.reshape(weight.shape)
