# hint: dtype
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight.double() + lora_alpha / r * (lora_B.double() @ lora_A.double())
