# hint: excess_in_float


def outlier_linear(x, codes, scale, threshold):
    rest = x.clamp(-threshold, threshold)
    x_scale = rest.abs().amax(dim=1, keepdim=True)
    sums = (rest / x_scale * 127).round().int() @ codes.int().T
    weight = codes * scale[:, None] / 127
    return sums * x_scale * scale / 127**2 + (x - rest) @ weight.T
