# hint: inputs_changed
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    output_gradient *= lora_alpha / r**0.5
    return output_gradient.T @ (x @ lora_A.T)
