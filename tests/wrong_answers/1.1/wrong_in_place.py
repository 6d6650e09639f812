# hint: inputs_changed
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    weight_scale = weight.abs().amax(dim=1, keepdim=True)
    x_int8 = x.div_(x_scale).mul_(127).round_().to(torch.int8)
    weight_int8 = weight.div_(weight_scale).mul_(127).round_().to(torch.int8)
    return (x_int8.int() @ weight_int8.int().T) * x_scale * weight_scale.T / 127**2
