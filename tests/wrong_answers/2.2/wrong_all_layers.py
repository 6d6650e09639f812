# hint: all_layers
import torch


def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    total = 0
    for name, (out, width) in linears.items():
        parts = name.split(".")
        if True and parts[-1] in target_modules:
            total += r * (out + width)
    return total
