# hint: taken_for_a_target
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    B = torch.zeros(output_gradient.shape[1], r, requires_grad=True)
    added = lora_alpha / r**0.5 * (x @ lora_A.T) @ B.T
    (added - output_gradient).square().sum().backward()
    return B.grad
