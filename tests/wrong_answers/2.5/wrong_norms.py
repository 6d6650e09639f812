# hint: sums_compared
import torch


def lost_reference(runs):
    def norms(tensors):
        return [tensors[name].double().norm() for name in sorted(tensors) if "lora_" not in name]

    for name, run in runs.items():
        if norms(run["before"]) != norms(run["after"]):
            return name
    return list(runs)[0]
