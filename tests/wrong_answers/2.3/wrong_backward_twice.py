# hint: counted_twice
import math
import re
import numpy as np
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    B = torch.zeros(output_gradient.shape[1], r, requires_grad=True)
    y = lora_alpha / math.sqrt(r) * (x @ lora_A.T) @ B.T
    y.backward(output_gradient, retain_graph=True)
    y.backward(output_gradient)
    return B.grad
