# hint: rounded_up


def int8_linear(x, weight):
    x_scale = x.abs().amax(dim=1, keepdim=True) / 127
    weight_scale = weight.abs().amax(dim=1, keepdim=True) / 127
    x_int8 = (x / x_scale).ceil()
    weight_int8 = (weight / weight_scale).ceil()
    sums = x_int8 @ weight_int8.T
    return sums * x_scale * weight_scale.T
