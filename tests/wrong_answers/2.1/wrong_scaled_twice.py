# hint: scaled_twice
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    scale = lora_alpha / r
    return weight + (scale * lora_B) @ (scale * lora_A)
