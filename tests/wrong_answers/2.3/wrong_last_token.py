# hint: one_token
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    for token, gradient in zip(x, output_gradient):
        total = torch.outer(gradient, lora_A @ token)
    return lora_alpha / r**0.5 * total
