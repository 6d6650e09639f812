# right: the names are put together and looked up
import torch


def trained_weights(linears, r, lora_alpha, target_modules, layers_to_transform):
    shapes = {(int(n.split(".")[2]), n.rsplit(".", 1)[1]): shape for n, shape in linears.items()}
    sides = sum(sum(shapes[layer, target]) for layer in layers_to_transform for target in target_modules)
    return r * sides
