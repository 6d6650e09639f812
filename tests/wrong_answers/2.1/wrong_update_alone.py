# hint: weight_forgotten
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return lora_alpha / r * (lora_B @ lora_A)
