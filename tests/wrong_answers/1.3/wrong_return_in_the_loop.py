# hint: part_of_the_blocks
import torch


def nf4_round_trip(weight, levels, block_size):
    back = weight.clone().reshape(-1, block_size)
    for i, block in enumerate(weight.reshape(-1, block_size)):
        s = block.abs().max()
        back[i] = levels[((block / s)[:, None] - levels).abs().argmin(1)] * s
        return back.reshape(weight.shape)
