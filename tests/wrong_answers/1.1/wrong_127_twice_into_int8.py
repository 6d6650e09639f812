# hint: scaled_twice
import torch


def int8_linear(x, weight):
    x_step = x.abs().amax(dim=1, keepdim=True) / 127
    weight_step = weight.abs().amax(dim=1, keepdim=True) / 127
    x_int8 = (x / x_step * 127).round().int().to(torch.int8)
    weight_int8 = (weight / weight_step * 127).round().int().to(torch.int8)
    sums = x_int8.int() @ weight_int8.int().T
    return sums * x_step * weight_step.T
