# hint: parts_of_names
import math


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for t in tensors:
        key = t["address"]
        if key in seen:
            continue
        seen.add(key)
        numbers = math.prod(t["shape"])
        is_skipped = any(("." + t["layer"]).endswith("." + s) for s in skipped)
        if t["kind"] == "Linear" and t["tensor"] == "weight" and not is_skipped:
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers * t["bytes_each"]
    return total
