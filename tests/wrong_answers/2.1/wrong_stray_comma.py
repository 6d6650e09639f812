# hint: in_a_tuple
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * (lora_B @ lora_A),
