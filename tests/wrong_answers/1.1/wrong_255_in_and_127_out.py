# hint: divided_by_255
import torch


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True)
    weight_scale = weight.abs().amax(dim=1, keepdim=True)
    x_step, weight_step = x_scale / 127, weight_scale / 127
    x_int8, weight_int8 = (x / x_scale * 255).round().to(torch.int8), (weight / weight_scale * 255).round().to(torch.int8)
    sums = x_int8.int() @ weight_int8.int().T
    return sums * x_step * weight_step.T
