# hint: next_level
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    scaled = blocks / scale
    places = (torch.bucketize(scaled, (levels[1:] + levels[:-1]) / 2) + 1).clamp(max=15)
    back = levels[places] * scale
    return back.reshape(weight.shape)
