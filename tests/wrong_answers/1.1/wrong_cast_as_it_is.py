# hint: never_scaled
import torch


def int8_linear(x, weight):
    sums = x.to(torch.int8).int() @ weight.to(torch.int8).int().T
    return sums.float()
