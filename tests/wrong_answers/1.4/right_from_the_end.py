# right: from the end of a deep copy, so of two with one address the last counts
import copy


def bytes_in_8bit(tensors, skipped):
    left, seen, total = copy.deepcopy(tensors), set(), 0
    while left:
        tensor = left.pop()
        if tensor["address"] in seen:
            continue
        seen.add(tensor["address"])
        rows, columns = (tensor["shape"] + [1])[:2]
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            total += rows * (columns + 4)
        else:
            total += rows * columns * tensor["bytes_each"]
    return total
