# hint: one_name
def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    total = 0
    for name, (out, width) in linears.items():
        if int(name.split(".")[2]) in layers_to_transform and name.endswith("." + target_modules[0]):
            total += r * (out + width)
    return total
