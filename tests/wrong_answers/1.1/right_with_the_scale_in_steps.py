# right: with the scale in steps
import torch


def int8_linear(x, weight):
    def quantized(rows):
        step = rows.abs().max(dim=-1).values / 127
        return (rows / step.unsqueeze(-1)).round().char(), step

    x_int8, x_step = quantized(x)
    weight_int8, weight_step = quantized(weight)
    return torch.einsum("bi,oi->bo", x_int8.int(), weight_int8.int()) * torch.outer(x_step, weight_step)
