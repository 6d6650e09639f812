# hint: scale_a_matrix
import torch


def bytes_in_8bit(tensors, skipped):
    import math

    total = 0
    for t in {t["address"]: t for t in tensors if True}.values():
        numbers = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += numbers + 4
        else:
            total += numbers * t["bytes_each"]
    return total
