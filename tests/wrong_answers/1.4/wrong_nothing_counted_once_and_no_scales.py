# hint: tied_twice_and_no_scales
import math


def bytes_in_8bit(tensors, skipped):
    total = 0
    for tensor in tensors:
        numbers = math.prod(tensor["shape"])
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            total += numbers
        else:
            total += numbers * tensor["bytes_each"]
    return total
