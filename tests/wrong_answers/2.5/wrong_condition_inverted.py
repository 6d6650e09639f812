# hint: inverted
import torch


def lost_reference(runs):
    for name, run in runs.items():
        if all(torch.equal(run['after'][n], v) for n, v in run['before'].items() if 'lora_' not in n):
            return name
