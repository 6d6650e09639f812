# hint: returned_in_the_loop
import math


def bytes_in_8bit(tensors, skipped):
    total = 0
    for t in tensors:
        n = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            return total + n + 4 * t["shape"][0]
        total += n * t["bytes_each"]
