# hint: weight_rounded_again
import torch


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    weight = codes * scale[:, None] / 127
    x_rest, weight_rest = x[:, ~outlier], weight[:, ~outlier]
    x_scale, weight_scale = (part.abs().amax(dim=1, keepdim=True) for part in (x_rest, weight_rest))
    x_codes, weight_codes = (x_rest / x_scale * 127).round(), (weight_rest / weight_scale * 127).round()
    product = x_codes @ weight_codes.T * x_scale * weight_scale.T / 127**2
    return product + x[:, outlier] @ weight[:, outlier].T
