# hint: same_columns_twice


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    rest = x.masked_fill(outlier, 0)
    x_scale = rest.abs().amax(dim=1, keepdim=True)
    sums = (rest / x_scale * 127).round().int() @ codes.int().T
    weight = codes * scale[:, None] / 127
    return sums * x_scale * scale / 127**2 + x[:, ~outlier] @ weight[:, ~outlier].T
