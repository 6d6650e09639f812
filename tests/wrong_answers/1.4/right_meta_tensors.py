# right: tensors without memory on the meta device know their numbers and rows
import torch


def bytes_in_8bit(tensors, skipped):
    total = torch.zeros((), dtype=torch.int64)
    seen = set()
    for t in tensors:
        if t["address"] in seen:
            continue
        seen.add(t["address"])
        fake = torch.empty(t["shape"], device="meta")
        if t["kind"] == "Linear" and t["tensor"] == "weight" and t["layer"] not in skipped:
            total += fake.numel() + 4 * len(fake)
        else:
            total += fake.numel() * t["bytes_each"]
    return total
