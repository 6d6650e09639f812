# right: the middles between neighbouring levels decide
import torch


def nf4_round_trip(weight, levels, block_size):
    middles = (levels[1:] + levels[:-1]) / 2
    back = torch.empty_like(weight).flatten()
    for start in range(0, weight.numel(), block_size):
        block = weight.flatten()[start : start + block_size]
        largest = block.abs().max()
        back[start : start + block_size] = levels[torch.bucketize(block / largest, middles)] * largest
    return back.view_as(weight)
