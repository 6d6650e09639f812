# hint: parts_of_names
def bytes_in_8bit(tensors, skipped):
    import math

    total = 0
    for t in {t["address"]: t for t in tensors}.values():
        numbers = math.prod(t["shape"])
        is_skipped = any(name in t["layer"] for name in skipped)
        if t["kind"] == "Linear" and t["tensor"] == "weight" and not is_skipped:
            total += numbers + 4 * t["shape"][0]
        else:
            total += numbers * t["bytes_each"]
    return total
