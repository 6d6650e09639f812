# hint: two_step_counts
import torch


def int8_linear(x, weight):
    a, b = x.abs().amax(1, keepdim=True), weight.abs().amax(1, keepdim=True)
    x_int8, weight_int8 = ((side / scale * 128).round().to(torch.int8) for side, scale in ((x, a), (weight, b)))
    return x_int8.float() @ weight_int8.float().T * a * b.T / 127**2
