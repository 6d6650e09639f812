# hint: inputs_changed
import torch


def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    for name in list(linears):
        parts = name.split(".")
        if int(parts[2]) not in layers_to_transform or parts[-1] not in target_modules:
            linears.pop(name)
    return sum(r * (out + width) for out, width in linears.values())
