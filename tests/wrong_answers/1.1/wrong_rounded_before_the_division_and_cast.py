# hint: rounded_too_early
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    weight_scale = weight.abs().amax(dim=1, keepdim=True)
    x_int8 = (torch.round(x * 127) / x_scale).to(torch.int8)
    weight_int8 = (torch.round(weight * 127) / weight_scale).to(torch.int8)
    sums = x_int8.int() @ weight_int8.int().T
    return sums * x_scale * weight_scale.T / 127**2
