# right: above and below apart, no abs
import torch


def outlier_linear(x, codes, scale, threshold):
    outlier = ((x >= threshold) | (x <= -threshold)).any(dim=0)
    rest = x * ~outlier
    x_scale = torch.maximum(rest.amax(dim=1), -rest.amin(dim=1))[:, None]
    sums = torch.matmul((rest * 127 / x_scale).round().to(torch.int32), codes.to(torch.int32).t())
    weight = codes / 127 * scale[:, None]
    return sums * (x_scale / 127) * (scale / 127) + (x * outlier) @ weight.T
