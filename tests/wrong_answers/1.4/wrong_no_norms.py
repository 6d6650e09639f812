# hint: norms_left_out
import torch


def bytes_in_8bit(tensors, skipped):
    import math

    total = 0
    for t in {t["address"]: t for t in tensors if t["kind"] != "RMSNorm"}.values():
        numbers = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers * t["bytes_each"]
    return total
