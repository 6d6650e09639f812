# hint: outer_of_sums
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    h = x @ lora_A.T
    return lora_alpha / r**0.5 * torch.outer(output_gradient.sum(0), h.sum(0))
