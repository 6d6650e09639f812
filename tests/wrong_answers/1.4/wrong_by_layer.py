# hint: by_layer
import math


def bytes_in_8bit(tensors, skipped):
    seen, total = set(), 0
    for tensor in tensors:
        if tensor["layer"] in seen:
            continue
        seen.add(tensor["layer"])
        numbers = math.prod(tensor["shape"])
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            total += numbers + 4 * tensor["shape"][0]
        else:
            total += numbers * tensor["bytes_each"]
    return total
