# hint: rounded_too_early
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    weight_scale = weight.abs().amax(dim=1, keepdim=True)
    x_int8 = torch.round(x * 127) / x_scale
    weight_int8 = torch.round(weight * 127) / weight_scale
    sums = x_int8 @ weight_int8.T
    return sums * x_scale * weight_scale.T / 127**2
