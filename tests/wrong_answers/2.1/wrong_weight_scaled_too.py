# hint: weight_scaled_too
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return lora_alpha / r * (weight + lora_B @ lora_A)
