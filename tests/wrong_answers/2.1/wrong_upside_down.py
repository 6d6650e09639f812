# hint: scaled_upside_down
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + r / lora_alpha * (lora_B @ lora_A)
