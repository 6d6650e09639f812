# right: token by token
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    total = torch.zeros(output_gradient.shape[1], r)
    for token, gradient in zip(x, output_gradient):
        total += torch.outer(gradient, lora_A @ token)
    return total * lora_alpha * r**-0.5
