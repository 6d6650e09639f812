# hint: rest_of_one_byte
import math


def bytes_in_8bit(tensors, skipped):
    total = 0
    for t in {t["address"]: t for t in tensors}.values():
        numbers = math.prod(t["shape"])
        if t["layer"] in skipped:
            total += numbers * t["bytes_each"]
        elif t["kind"] == "Linear" and t["tensor"] == "weight":
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers
    return total
