# hint: without_a
import math


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    return lora_alpha / math.sqrt(r) * (output_gradient.T @ x)
