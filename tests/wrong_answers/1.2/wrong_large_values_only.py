# hint: values_not_columns
import torch


def outlier_linear(x, codes, scale, threshold):
    weight = codes * scale[:, None] / 127
    large = x.abs() > threshold
    rest = x.masked_fill(large, 0)
    step = rest.abs().amax(dim=1, keepdim=True) / 127
    return (rest / step).round() * step @ weight.T + (x * large) @ weight.T
