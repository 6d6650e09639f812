# hint: inputs_changed
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    weight += lora_alpha / r * (lora_B @ lora_A)
    return weight
