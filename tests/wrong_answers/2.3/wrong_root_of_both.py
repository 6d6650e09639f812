# hint: root_of_both
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    h = x @ lora_A.T
    return (lora_alpha / r) ** 0.5 * output_gradient.T @ h
