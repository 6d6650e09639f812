# hint: weight_alone
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    merged = weight + lora_alpha / r * (lora_B @ lora_A)
    return weight
