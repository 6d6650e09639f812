# hint: rows_kept
import torch


def outlier_linear(x, codes, scale, threshold):
    weight = codes * scale[:, None] / 127
    outlier = (x.abs() > threshold).any(dim=1)
    x_scale = x.abs().amax(dim=1, keepdim=True)
    result = (x / x_scale * 127).round() @ codes.float().T * x_scale * scale / 127**2
    result[outlier] = x[outlier] @ weight.T
    return result
