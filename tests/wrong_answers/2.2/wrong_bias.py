# hint: bias_counted
def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    total = 0
    for name, (out, width) in linears.items():
        parts = name.split(".")
        if int(parts[2]) in layers_to_transform and parts[-1] in target_modules:
            total += r * (width + out) + out
    return total
