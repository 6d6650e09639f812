# hint: x_in_float
import torch


def int8_linear(x, weight):
    scale = weight.abs().amax(dim=1) / 127
    weight_int8 = torch.round(weight / scale[:, None]).to(torch.int8)
    return (x @ weight_int8.float().T) * scale
