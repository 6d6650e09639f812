# hint: scale_across_blocks
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.view(weight.shape[0], -1, block_size)
    s = blocks.abs().amax(dim=1, keepdim=True)
    return (levels[((blocks / s)[..., None] - levels).abs().argmin(-1)] * s).view(weight.shape)
