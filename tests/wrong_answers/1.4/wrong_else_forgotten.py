# hint: both_copies
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for t in tensors:
        if t["address"] in seen:
            continue
        seen.add(t["address"])
        n = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += n + 4 * t["shape"][0]
        total += n * t["bytes_each"]
    return total
