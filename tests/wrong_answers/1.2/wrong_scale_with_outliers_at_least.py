# hint: scale_with_outliers
import torch


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    rest = x.masked_fill(outlier, 0)
    x_scale = x.abs().amax(dim=1, keepdim=True)
    sums = (rest / x_scale * 127).round().int() @ codes.int().T
    in_int8 = sums * x_scale * scale / 127**2
    weight = codes * scale[:, None] / 127
    in_float = x[:, outlier] @ weight[:, outlier].T
    return in_int8 + in_float
