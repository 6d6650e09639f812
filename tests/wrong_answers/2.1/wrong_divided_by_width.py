# hint: scaled_by_width
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / lora_A.shape[1] * (lora_B @ lora_A)
