# hint: scaled_by_1_over_r
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_B @ lora_A / r
