# hint: half_scales
import torch


def bytes_in_8bit(tensors, skipped):
    total, seen = 0, set()
    for tensor in tensors:
        if tensor["address"] in seen:
            continue
        seen.add(tensor["address"])
        rows, numbers = tensor["shape"][0], torch.Size(tensor["shape"]).numel()
        quantized = tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped
        total += numbers + tensor["bytes_each"] * rows if quantized else numbers * tensor["bytes_each"]
    return total
