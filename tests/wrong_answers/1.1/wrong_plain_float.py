# hint: plain_float
import torch


def int8_linear(x, weight):
    return x @ weight.T
