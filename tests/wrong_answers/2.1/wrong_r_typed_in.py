# hint: scaled_by_typed_r
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / 8 * (lora_B @ lora_A)
