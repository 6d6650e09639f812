# hint: shape_for_address
import torch


def bytes_in_8bit(tensors, skipped):
    import math

    total, seen = 0, set()
    for tensor in tensors:
        if tuple(tensor["shape"]) in seen:
            continue
        seen.add(tuple(tensor["shape"]))
        numbers = math.prod(tensor["shape"])
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            total += numbers + 4 * tensor["shape"][0]
        else:
            total += numbers * tensor["bytes_each"]
    return total
