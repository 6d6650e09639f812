# hint: not_a_name
import torch


def eight_bit_in_eval(original, runs):
    changes = [(run["in_a_batch"] - run["alone"]).abs().max() - (run["again"] - run["alone"]).abs().max() for run in runs.values()]
    return torch.stack(changes).argmax().item()
