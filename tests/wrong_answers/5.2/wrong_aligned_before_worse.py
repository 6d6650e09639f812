# hint: fallen_aligned
import torch



def claim_of(run):
    low, high = run["reward_change"] - run["reward_half"], run["reward_change"] + run["reward_half"]
    if abs(run["reward_change"]) <= run["reward_half"]:
        return "nothing"
    confirmed = run["lexicon_change"] - run["lexicon_half"] > 0
    varied = run["distinct_2_after"] >= 0.8 * run["distinct_2_before"]
    likely = run["nll_after"] - run["nll_before"] <= 1
    if confirmed and varied and likely:
        return "aligned"
    return "hacked" if run["reward_change"] > 0 else "worse"
