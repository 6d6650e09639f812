# hint: square_only
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    update = torch.zeros(len(weight), len(weight))
    update += lora_alpha / r * (lora_B @ lora_A)
    return weight + update
