# hint: output_layer_quantized
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for tensor in tensors:
        if tensor["address"] in seen:
            continue
        seen.add(tensor["address"])
        numbers = math.prod(tensor["shape"])
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight":
            total += numbers + 4 * tensor["shape"][0]
        else:
            total += numbers * tensor["bytes_each"]
    return total
