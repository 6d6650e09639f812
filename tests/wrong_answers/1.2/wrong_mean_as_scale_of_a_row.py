# hint: row_scale_not_largest


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    rest = x.masked_fill(outlier, 0)
    x_scale = rest.abs().mean(dim=1, keepdim=True)
    sums = (rest / x_scale * 127).round().clamp(-127, 127).int() @ codes.int().T
    weight = codes * scale[:, None] / 127
    return sums * x_scale * scale / 127**2 + x[:, outlier] @ weight[:, outlier].T
