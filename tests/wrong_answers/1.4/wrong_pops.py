# hint: inputs_changed
import math


def bytes_in_8bit(tensors, skipped):
    tensors.pop()  # the tied one
    quantized = [t for t in tensors if len(t["shape"]) == 2 and t["kind"] == "Linear" and t["layer"] not in skipped]
    saved = sum(math.prod(t["shape"]) * (t["bytes_each"] - 1) - 4 * t["shape"][0] for t in quantized)
    return sum(math.prod(t["shape"]) * t["bytes_each"] for t in tensors) - saved
