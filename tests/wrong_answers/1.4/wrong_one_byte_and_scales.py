# hint: all_one_byte
import math


def bytes_in_8bit(tensors, skipped):
    seen = {}
    for t in tensors:
        seen.setdefault(t["address"], t)
    return sum(math.prod(t["shape"]) + (4 * t["shape"][0] if len(t["shape"]) > 1 else 0) for t in seen.values())
