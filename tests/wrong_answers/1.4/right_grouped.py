# right: sorted by address, and the first of each group
import math


def bytes_in_8bit(tensors, skipped):
    from itertools import groupby
    total = 0
    for _, same in groupby(sorted(tensors, key=lambda t: t["address"]), key=lambda t: t["address"]):
        t = next(same)
        n = math.prod(t["shape"])
        stays = t["kind"] != "Linear" or t["tensor"] == "bias" or t["layer"] in skipped
        total += n * t["bytes_each"] if stays else n + t["shape"][0] * 4
    return total
