# hint: by_distance
import torch


def eight_bit_in_eval(original, runs):
    distance = {name: torch.dist(run["in_a_batch"], original).item() for name, run in runs.items()}
    middle = sorted(distance.values())[2]
    return next(name for name in runs if distance[name] == middle)
