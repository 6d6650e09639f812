# hint: scale_of_the_first
import torch


def nf4_round_trip(weight, levels, block_size):
    blocks = weight.reshape(-1, block_size)
    scale = weight[:, :block_size].abs().amax(1).repeat_interleave(weight.shape[1] // block_size)[:, None]
    scaled = blocks / scale
    places = (scaled[..., None] - levels).abs().argmin(-1)
    back = levels[places] * scale
    return back.reshape(weight.shape)
