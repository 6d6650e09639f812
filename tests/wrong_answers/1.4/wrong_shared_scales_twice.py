# hint: shared_scales_twice
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for t in tensors:
        n = math.prod(t["shape"])
        q = t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped
        if q:
            total += 4 * t["shape"][0]
        if t["address"] not in seen:
            seen.add(t["address"])
            total += n if q else n * t["bytes_each"]
    return total
