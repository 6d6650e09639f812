# right: in place, on copies


def int8_linear(x, weight):
    x, weight = x.clone(), weight.clone()
    x_scale, weight_scale = x.abs().amax(1, keepdim=True), weight.abs().amax(1, keepdim=True)
    x.div_(x_scale).mul_(127).round_()
    weight.div_(weight_scale).mul_(127).round_()
    result = x @ weight.T
    result *= x_scale
    result *= weight_scale.T
    return result / 127**2
