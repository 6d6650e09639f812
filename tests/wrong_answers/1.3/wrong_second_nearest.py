# hint: next_level
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argsort(-1)[..., 1]
    back = levels[places] * scale
    return back.reshape(weight.shape)
