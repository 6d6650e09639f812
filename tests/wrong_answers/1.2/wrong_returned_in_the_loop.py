# hint: one_outlier_column
import torch


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    rest = x.masked_fill(outlier, 0)
    x_scale = rest.abs().amax(dim=1, keepdim=True)
    result = (rest / x_scale * 127).round() @ codes.float().T * x_scale * scale / 127**2
    for column in outlier.nonzero().flatten():
        result = result + torch.outer(x[:, column], codes[:, column] * scale / 127)
        return result
