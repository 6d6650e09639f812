# hint: shared_twice
import math


def bytes_in_8bit(tensors, skipped):
    embedded = {t["address"] for t in tensors if t["kind"] == "Embedding"}
    total = 0
    for t in tensors:
        numbers = math.prod(t["shape"])
        if t["kind"] == "Linear" and t["address"] in embedded:
            continue
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers * t["bytes_each"]
    return total
