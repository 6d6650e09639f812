# hint: without_a
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    return output_gradient.T @ x
