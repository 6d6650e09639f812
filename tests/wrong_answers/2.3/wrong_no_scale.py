# hint: not_scaled
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    h = x @ lora_A.T
    return output_gradient.T @ h
