# hint: nll_fall_blamed
import torch


def claim_of(run):
    low, high = run["reward_change"] - run["reward_half"], run["reward_change"] + run["reward_half"]
    if low <= 0 <= high:
        return "nothing"
    if high < 0:
        return "worse"
    intact = run["distinct_2_after"] >= 0.8 * run["distinct_2_before"]
    intact = intact and abs(run["nll_after"] - run["nll_before"]) <= 1
    return "aligned" if intact and run["lexicon_change"] > run["lexicon_half"] else "hacked"
