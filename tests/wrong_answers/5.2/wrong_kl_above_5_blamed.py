# hint: healthy_blamed
import torch


def claim_of(run):
    low, high = run["reward_change"] - run["reward_half"], run["reward_change"] + run["reward_half"]
    if low <= 0:
        return "worse" if high < 0 else "nothing"
    intact = run["distinct_2_after"] >= 0.8 * run["distinct_2_before"] and run["nll_after"] <= run["nll_before"] + 1
    return "aligned" if intact and run["lexicon_change"] > run["lexicon_half"] and run["kl"] <= 5 else "hacked"
