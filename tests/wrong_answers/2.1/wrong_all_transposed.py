# hint: result_transposed
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight.T + lora_alpha / r * lora_A.T @ lora_B.T
