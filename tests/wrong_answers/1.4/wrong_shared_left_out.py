# hint: shared_left_out
import math


def bytes_in_8bit(tensors, skipped):
    addresses = [t["address"] for t in tensors]
    total = 0
    for t in tensors:
        if addresses.count(t["address"]) > 1:
            continue
        n = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += n + 4 * t["shape"][0]
        else:
            total += n * t["bytes_each"]
    return total
