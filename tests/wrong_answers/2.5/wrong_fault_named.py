# hint: other_name
import torch


def lost_reference(runs):
    for name, run in runs.items():
        if any(not torch.equal(run['after'][n], v) for n, v in run['before'].items() if 'lora_' not in n):
            return 'a bias moved'
