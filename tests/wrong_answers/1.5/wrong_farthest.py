# hint: by_distance
import torch


def eight_bit_in_eval(original, runs):
    distance = {name: (run["alone"] - original).norm() for name, run in runs.items()}
    return max(distance, key=distance.get)
