# hint: fallen_aligned
import torch


def claim_of(run):
    low = run["reward_change"] - run["reward_half"]
    high = run["reward_change"] + run["reward_half"]
    if not abs(low + high) / 2 > (high - low) / 2:
        return "nothing"
    sound = run["lexicon_change"] - run["lexicon_half"] > 0 and run["distinct_2_after"] >= 0.8 * run["distinct_2_before"] and run["nll_after"] - run["nll_before"] <= 1
    return "aligned" if sound else "hacked"
