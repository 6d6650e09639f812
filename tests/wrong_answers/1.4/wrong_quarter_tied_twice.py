# hint: whole_divided
import math


def bytes_in_8bit(tensors, skipped):
    return sum(math.prod(t["shape"]) * t["bytes_each"] for t in tensors) / 4
