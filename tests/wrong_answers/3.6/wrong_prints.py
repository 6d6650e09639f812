# hint: not_a_name
import torch


def broken_by(run):
    print("dropout" if run["first_ratio_max"] > 1.001 else "nothing")
