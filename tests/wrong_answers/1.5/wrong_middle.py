# hint: by_distance
import torch


def eight_bit_in_eval(original, runs):
    distance = {name: (run["alone"] - original).abs().mean() for name, run in runs.items()}
    return sorted(distance, key=distance.get)[len(distance) // 2]
