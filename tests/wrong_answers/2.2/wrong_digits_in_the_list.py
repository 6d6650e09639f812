# hint: digits_in_the_list


def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    total = 0
    for name, (out, width) in linears.items():
        parts = name.split(".")
        if parts[2] in str(layers_to_transform) and parts[-1] in target_modules:
            total += r * (out + width)
    return total
