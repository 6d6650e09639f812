# hint: levels_typed_in
import torch


def nf4_round_trip(weight, levels, block_size):
    nf4 = [-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.09105, 0.0]
    nf4 += [0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.562617, 0.7229568, 1.0]
    blocks = weight.reshape(-1, block_size)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    places = ((blocks / scale)[..., None] - torch.tensor(nf4)).abs().argmin(-1)
    return (torch.tensor(nf4)[places] * scale).reshape(weight.shape)
