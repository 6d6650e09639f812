# hint: scaled_by_whole_number
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + 2.0 * (lora_B @ lora_A)
