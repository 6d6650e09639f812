# hint: nothing_in_int8
import torch


def outlier_linear(x, codes, scale, threshold):
    weight = codes * scale[:, None] / 127
    outlier = (x.abs() > threshold).any(dim=0)
    return x[:, ~outlier] @ weight[:, ~outlier].T + x[:, outlier] @ weight[:, outlier].T
