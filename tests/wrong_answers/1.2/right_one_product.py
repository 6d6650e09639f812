# right: x there and back, outliers as they are, in one product
import torch


def outlier_linear(x, codes, scale, threshold):
    outlier = ~(x.abs() < threshold).all(dim=0)
    step = x.masked_fill(outlier, 0).abs().amax(dim=1, keepdim=True) / 127
    there_and_back = torch.where(outlier, x, (x / step).round() * step)
    return torch.nn.functional.linear(there_and_back, codes * scale[:, None] / 127)
