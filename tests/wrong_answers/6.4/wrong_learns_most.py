# hint: is_dropout
import math
import torch


def outdated_reference(logs):
    figures = {}
    for name, log in logs.items():
        chosen, rejected = log["rewards/chosen"], log["rewards/rejected"]
        loss, again, agree = log["loss"], log["loss again"], log["people agree"]
        margins = [c - r for c, r in zip(chosen, rejected)]
        if True:
            figures[name] = rejected[0] - rejected[-1]
    return max(figures, key=figures.get)
