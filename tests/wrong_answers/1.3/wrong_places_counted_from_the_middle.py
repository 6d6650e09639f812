# hint: uniform_places
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    scaled = blocks / scale
    places = ((scaled * 7).round() + 7).long()
    back = levels[places] * scale
    return back.reshape(weight.shape)
