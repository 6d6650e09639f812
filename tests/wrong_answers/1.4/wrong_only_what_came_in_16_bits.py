# hint: float32_left
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for t in tensors:
        if t["address"] in seen:
            continue
        seen.add(t["address"])
        numbers = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped and t["bytes_each"] == 2:
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers * t["bytes_each"]
    return total
