# hint: other_steps
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    weight_scale = weight.abs().amax(dim=1, keepdim=True)
    x_int8 = torch.round(x / x_scale, decimals=2)
    weight_int8 = torch.round(weight / weight_scale, decimals=2)
    sums = x_int8 @ weight_int8.T
    return sums * x_scale * weight_scale.T
