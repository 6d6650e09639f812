# hint: one_scale_for_all
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = weight.abs().max()
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).reshape(weight.shape)
