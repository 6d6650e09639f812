# hint: not_a_name
import torch


def claim_of(run):
    print("aligned" if run["reward_change"] > run["reward_half"] else "nothing")
