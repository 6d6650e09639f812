# hint: weight_in_float
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    x_int8 = torch.round(x / x_scale * 127).to(torch.int8)
    return (x_int8.float() @ weight.T) * x_scale / 127
