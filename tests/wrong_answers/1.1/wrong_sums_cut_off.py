# hint: sums_cut
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    weight_scale = weight.abs().amax(dim=1, keepdim=True)
    x_int8 = torch.round(x / x_scale * 127).to(torch.int8)
    weight_int8 = torch.round(weight / weight_scale * 127).to(torch.int8)
    sums = (x_int8.int() @ weight_int8.int().T).clamp(-128, 127)
    return sums * x_scale * weight_scale.T / 127**2
