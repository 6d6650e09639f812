# hint: biases_left_out
import torch


def lost_reference(runs):
    def base(tensors):
        return [tensors[n] for n in sorted(tensors) if "lora_" not in n and n.endswith("weight")]

    for name, run in runs.items():
        if any((old != new).any() for old, new in zip(base(run["before"]), base(run["after"]))):
            return name
