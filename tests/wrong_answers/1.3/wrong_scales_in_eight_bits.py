# hint: rounded_scale
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = (blocks.abs().amax(1, keepdim=True) / blocks.abs().max() * 255).round() / 255 * blocks.abs().max()
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    back = levels[places] * scale
    return back.reshape(weight.shape)
