# hint: rest_of_one_byte
import torch


def bytes_in_8bit(tensors, skipped):
    import math

    total = 0
    for t in {t["address"]: t for t in tensors if True}.values():
        numbers = math.prod(t["shape"])
        if t["layer"] not in skipped:
            total += numbers
        else:
            total += numbers * t["bytes_each"]
    return total
