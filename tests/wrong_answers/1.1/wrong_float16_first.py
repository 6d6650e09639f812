# hint: float16_first
import torch


def int8_linear(x, weight):
    from bitsandbytes.functional import int8_vectorwise_quant

    (a, a_scale, _), (b, b_scale, _) = int8_vectorwise_quant(x.half()), int8_vectorwise_quant(weight.half())
    return a.int() @ b.int().T * a_scale[:, None] * b_scale / 127**2
