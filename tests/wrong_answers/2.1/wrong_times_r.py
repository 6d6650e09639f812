# hint: scaled_by_alpha_times_r
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha * r * (lora_B @ lora_A)
