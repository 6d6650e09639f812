# hint: whole_divided
import math


def bytes_in_8bit(tensors, skipped):
    unique = {t["address"]: t for t in tensors}.values()
    return sum(math.prod(t["shape"]) * t["bytes_each"] for t in unique) / 2
