# hint: upside_down
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    h = x @ lora_A.T
    return r**0.5 / lora_alpha * output_gradient.T @ h
