# hint: uniform_steps
import torch


def nf4_round_trip(weight, levels, block_size):
    levels = torch.linspace(-1, 1, 16)
    blocks = weight.reshape(-1, block_size)
    scale = weight.reshape(-1, block_size).abs().amax(dim=1, keepdim=True)
    places = (blocks[:, :, None] / scale[:, :, None] - levels).abs().argmin(dim=-1)
    return (levels[places] * scale).reshape(weight.shape)
