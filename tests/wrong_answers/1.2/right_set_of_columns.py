# right: columns by their numbers
import torch


def outlier_linear(x, codes, scale, threshold):
    columns = sorted({int(column) for _, column in (x.abs() >= threshold).nonzero()})
    others = [column for column in range(x.shape[1]) if column not in columns]
    rest = x[:, others]
    x_scale = rest.abs().max(dim=1, keepdim=True).values
    result = torch.round(rest / x_scale * 127).long() @ codes[:, others].long().T * x_scale / 127 * scale / 127
    for column in columns:
        result = result + x[:, column, None] * codes[:, column] * scale / 127
    return result
