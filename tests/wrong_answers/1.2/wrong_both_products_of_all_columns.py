# hint: rest_counted_twice
import torch


def outlier_linear(x, codes, scale, threshold):
    rest = x
    step = rest.abs().amax(dim=1, keepdim=True) / 127
    weight = codes * scale[:, None] / 127
    return (rest / step).round() * step @ weight.T + x @ weight.T
