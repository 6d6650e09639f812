# hint: scale_a_column
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight
    scale = weight.abs().amax(dim=0, keepdim=True)
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    back = levels[places] * scale
    return back.reshape(weight.shape)
