# hint: slice_shares_a_scale
import torch


def nf4_round_trip(weight, levels, block_size):
    back = torch.empty_like(weight)
    for i in range(0, weight.shape[1], block_size):
        block = weight[:, i:i + block_size]
        s = block.abs().max()
        back[:, i:i + block_size] = levels[((block / s)[..., None] - levels).abs().argmin(-1)] * s
    return back
