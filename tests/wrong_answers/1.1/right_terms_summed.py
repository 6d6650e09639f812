# right: no matrix product, but terms and a sum


def int8_linear(x, weight):
    x_step, weight_step = x.abs().max(1).values / 127, weight.abs().max(1).values / 127
    x_int8, weight_int8 = (x / x_step[:, None]).round().short(), (weight / weight_step[:, None]).round().short()
    return (x_int8[:, None].int() * weight_int8).sum(-1) * x_step[:, None] * weight_step
