# hint: endings
import math
import re
import numpy as np
import torch


def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    total = 0
    for name, shape in linears.items():
        parts = name.split('.')
        if int(parts[2]) in layers_to_transform and any(parts[-1].startswith(t) for t in target_modules):
            total += r * (shape[0] + shape[1])
    return total
