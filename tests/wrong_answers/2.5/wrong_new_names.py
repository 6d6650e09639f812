# hint: second adapter
import torch


def lost_reference(runs):
    for name, run in runs.items():
        if run["before"].keys() != run["after"].keys():
            return name
