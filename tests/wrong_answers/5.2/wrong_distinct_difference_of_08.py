# hint: none_aligned
import torch


def claim_of(run):
    low = run["reward_change"] - run["reward_half"]
    if low <= 0:
        return "worse" if run["reward_change"] + run["reward_half"] < 0 else "nothing"
    return "aligned" if run["lexicon_change"] - run["lexicon_half"] > 0 and run["distinct_2_after"] - run["distinct_2_before"] >= 0.8 and run["nll_after"] - run["nll_before"] <= 1 else "hacked"
