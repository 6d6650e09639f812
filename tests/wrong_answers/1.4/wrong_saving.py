# hint: saved
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for t in tensors:
        key = t["address"]
        if key in seen:
            continue
        seen.add(key)
        numbers = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers * t["bytes_each"]
    return sum(math.prod(t["shape"]) * t["bytes_each"] for t in {t["address"]: t for t in tensors}.values()) - total
