# hint: all_one_byte
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for tensor in tensors:
        if tensor["address"] in seen:
            continue
        seen.add(tensor["address"])
        numbers = math.prod(tensor["shape"])
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            total += numbers
        else:
            total += numbers
    return total
