# hint: scales_of_the_last
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for t in tensors:
        if t["address"] in seen:
            continue
        seen.add(t["address"])
        n = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += n
            scales = 4 * t["shape"][0]
        else:
            total += n * t["bytes_each"]
    return total + scales
