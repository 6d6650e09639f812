# hint: other_name
import torch


def claim_of(run):
    if run["reward_change"] > run["reward_half"]:
        return "shown"
    return "worse" if run["reward_change"] < -run["reward_half"] else "nothing"
