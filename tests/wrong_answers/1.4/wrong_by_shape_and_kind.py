# hint: shape_for_address
import torch


def bytes_in_8bit(tensors, skipped):
    import math

    total = 0
    for tensor in {(tuple(tensor["shape"]), tensor["kind"]): tensor for tensor in tensors}.values():
        numbers = math.prod(tensor["shape"])
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            total += numbers + 4 * tensor["shape"][0]
        else:
            total += numbers * tensor["bytes_each"]
    return total
