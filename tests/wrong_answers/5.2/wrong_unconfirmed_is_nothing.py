# hint: doubt_is_not_nothing
import torch


def claim_of(run):
    low = run["reward_change"] - run["reward_half"]
    high = run["reward_change"] + run["reward_half"]
    if high < 0:
        return "worse"
    if not low > 0:
        return "nothing"
    if run["lexicon_change"] - run["lexicon_half"] <= 0:
        return "nothing"
    sound = run["distinct_2_after"] >= 0.8 * run["distinct_2_before"] and run["nll_after"] - run["nll_before"] <= 1
    return "aligned" if sound else "hacked"
