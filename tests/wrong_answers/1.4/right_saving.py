# right: the whole less what 8-bit saves
import math


def bytes_in_8bit(tensors, skipped):
    unique = {t["address"]: t for t in tensors}.values()
    whole = sum(math.prod(t["shape"]) * t["bytes_each"] for t in unique)
    for t in unique:
        if t["kind"] == "Linear" and t["tensor"] != "bias" and t["layer"] not in skipped:
            rows, columns = t["shape"]
            whole -= rows * columns * (t["bytes_each"] - 1) - 4 * rows
    return whole
