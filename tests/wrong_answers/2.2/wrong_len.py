# hint: first_blocks
def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    shapes = {name.split(".")[-1]: shape for name, shape in linears.items()}
    return len(layers_to_transform) * sum(r * sum(shapes[name]) for name in target_modules)
