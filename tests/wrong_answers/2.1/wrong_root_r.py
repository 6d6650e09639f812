# hint: scaled_by_root_r
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r**0.5 * (lora_B @ lora_A)
