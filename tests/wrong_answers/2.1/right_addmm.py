# right: addmm
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return torch.addmm(weight, lora_B, lora_A, alpha=lora_alpha / r)
