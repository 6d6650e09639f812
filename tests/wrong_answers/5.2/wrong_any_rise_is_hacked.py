# hint: none_aligned
import torch


def claim_of(run):
    low = run["reward_change"] - run["reward_half"]
    high = run["reward_change"] + run["reward_half"]
    if high < 0:
        return "worse"
    if not low > 0:
        return "nothing"
    return "hacked"
