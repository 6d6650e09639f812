# hint: inverted
import torch


def lost_reference(runs):
    for name, run in runs.items():
        if not any((run['after'][n] != v).any() for n, v in run['before'].items() if 'lora_' not in n):
            found = name
    return found
