# hint: second adapter
import torch


def lost_reference(runs):
    return max(runs, key=lambda name: len(runs[name]["after"]) - len(runs[name]["before"]))
