# hint: inputs_changed
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    weight.data.add_(lora_B @ lora_A, alpha=lora_alpha / r)
    return weight
