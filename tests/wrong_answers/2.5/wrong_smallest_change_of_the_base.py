# hint: inverted
import torch


def lost_reference(runs):
    def change(run):
        return sum((run['after'][n] - v).abs().sum().item() for n, v in run['before'].items() if 'lora_' not in n)

    return min(runs, key=lambda name: change(runs[name]))
