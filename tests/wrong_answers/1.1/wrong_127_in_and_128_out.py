# hint: two_step_counts
import torch


def int8_linear(x, weight):
    a, b = x.abs().amax(1, keepdim=True), weight.abs().amax(1, keepdim=True)
    sums = (x / a * 127).round().clamp(-127, 127) @ (weight / b * 127).round().clamp(-127, 127).T
    return sums * a * b.T / 128**2
