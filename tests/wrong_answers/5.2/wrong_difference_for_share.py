# hint: repetition_missed
import torch


def claim_of(run):
    low = run["reward_change"] - run["reward_half"]
    high = run["reward_change"] + run["reward_half"]
    if high < 0:
        return "worse"
    if low <= 0:
        return "nothing"
    confirmed = run["lexicon_change"] > run["lexicon_half"]
    varied = run["distinct_2_before"] - run["distinct_2_after"] <= 0.2
    language = run["nll_after"] - run["nll_before"] <= 1
    return "aligned" if confirmed and varied and language else "hacked"
