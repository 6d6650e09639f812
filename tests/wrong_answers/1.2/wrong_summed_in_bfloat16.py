# hint: sums_in_16_bits


def outlier_linear(x, codes, scale, threshold):
    outlier = (x.abs() >= threshold).any(dim=0)
    rest = x.masked_fill(outlier, 0)
    x_scale = rest.abs().amax(dim=1, keepdim=True)
    sums = ((rest / x_scale * 127).round().bfloat16() @ codes.bfloat16().T).float()
    weight = codes * scale[:, None] / 127
    return sums * x_scale * scale / 127**2 + x[:, outlier] @ weight[:, outlier].T
