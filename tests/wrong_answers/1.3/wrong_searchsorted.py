# hint: lower_level
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    scaled = blocks / scale
    places = torch.searchsorted(levels, scaled.contiguous())
    return (levels[places] * scale).reshape(weight.shape)
