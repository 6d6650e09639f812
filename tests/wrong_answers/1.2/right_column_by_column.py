# right: one column after the other, in float64
import torch


def outlier_linear(x, codes, scale, threshold):
    result = torch.zeros(len(x), len(codes), dtype=torch.float64)
    normal = [c for c in range(x.shape[1]) if not (x[:, c].abs() >= threshold).any()]
    absmax = x[:, normal].abs().max(dim=1).values.double()
    for c in range(x.shape[1]):
        column = x[:, c].double()
        if c in normal:
            column = torch.round(column * 127 / absmax) * absmax / 127
        result += torch.outer(column, codes[:, c] * scale.double() / 127)
    return result.float()
