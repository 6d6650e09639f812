# hint: dtype
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return (weight.bfloat16() + lora_alpha / r * (lora_B.bfloat16() @ lora_A.bfloat16()))
