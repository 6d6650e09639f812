# hint: inputs_changed
import torch


def outlier_linear(x, codes, scale, threshold):
    weight = codes * scale[:, None] / 127
    outlier = (x.abs() > threshold).any(dim=0)
    in_float = x[:, outlier] @ weight[:, outlier].T
    x[:, outlier] = 0
    step = x.abs().amax(dim=1, keepdim=True) / 127
    return (x / step).round() * step @ weight.T + in_float
