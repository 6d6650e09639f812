# hint: divided_by_127
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = weight.reshape(-1, block_size).abs().amax(dim=1, keepdim=True)
    places = (blocks[:, :, None] / scale[:, :, None] - levels).abs().argmin(dim=-1)
    return (levels[places] * scale / 127).reshape(weight.shape)
