# hint: outliers_rounded
import torch


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    total = 0
    for part in (x * outlier, x * ~outlier):
        x_scale = part.abs().amax(dim=1, keepdim=True).clamp(min=1e-9)
        total = total + (part / x_scale * 127).round().int() @ codes.int().T * x_scale * scale / 127**2
    return total
