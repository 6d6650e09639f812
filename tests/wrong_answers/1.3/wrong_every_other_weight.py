# hint: strided_blocks
import torch


def nf4_round_trip(weight, levels, block_size):
    back = torch.empty_like(weight)
    n = weight.shape[1] // block_size
    for i in range(n):
        part = weight[:, i::n]
        s = part.abs().amax(1, keepdim=True)
        back[:, i::n] = levels[((part / s)[..., None] - levels).abs().argmin(-1)] * s
    return back
