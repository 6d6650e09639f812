# hint: not_a_tensor
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    merged = weight + lora_alpha / r * (lora_B @ lora_A)
