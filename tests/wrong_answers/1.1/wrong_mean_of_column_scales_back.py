# hint: column_scales_forgotten
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=0)
    weight_scale = weight.abs().amax(dim=0)
    x_int8 = torch.round(x / x_scale * 127).to(torch.int8)
    weight_int8 = torch.round(weight / weight_scale * 127).to(torch.int8)
    return x_int8.int() @ weight_int8.int().T * (x_scale * weight_scale).mean() / 127**2
