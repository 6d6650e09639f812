# hint: one_scale_a_row
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight
    scale = blocks.abs().amax(dim=1, keepdim=True)
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.shape)
