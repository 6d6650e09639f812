# right: with numpy
import numpy as np
import torch


def int8_linear(x, weight):
    def quantized(rows):
        scale = np.abs(rows).max(axis=1, keepdims=True)
        return np.rint(rows / scale * 127).astype(np.int8), scale

    x_int8, x_scale = quantized(x.numpy())
    weight_int8, weight_scale = quantized(weight.numpy())
    result = x_int8.astype(np.int32) @ weight_int8.astype(np.int32).T * (x_scale / 127) * (weight_scale / 127).T
    return torch.from_numpy(result.astype(np.float32))
