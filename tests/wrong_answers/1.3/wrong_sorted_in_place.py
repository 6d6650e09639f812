# hint: inputs_changed
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.view(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    blocks /= scale
    places = (blocks[..., None] - levels).abs().argmin(-1)
    return (levels[places] * scale).view(weight.shape)
