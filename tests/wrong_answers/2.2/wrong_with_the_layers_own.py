# hint: frozen_too
def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    total = 0
    for name, (out, width) in linears.items():
        _, _, block, _, last = name.split(".")
        if int(block) in layers_to_transform and last in target_modules:
            total += out * width + r * width + out * r
    return total
