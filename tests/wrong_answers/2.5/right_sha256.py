# right: by a hash of the bytes
import hashlib
import torch


def lost_reference(runs):
    def fingerprint(tensors):
        digest = hashlib.sha256()
        for key in sorted(tensors):
            if "lora_" not in key:
                digest.update(tensors[key].numpy().tobytes())
        return digest.hexdigest()

    for name, run in runs.items():
        if fingerprint(run["before"]) != fingerprint(run["after"]):
            return name
