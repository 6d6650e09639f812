# right: part by part
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    merged = weight.clone()
    for part in range(r):
        merged += torch.outer(lora_B[:, part], lora_A[part]) * lora_alpha / r
    return merged
