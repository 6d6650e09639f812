# hint: fooled_by_reward
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    if kl[0] > 1:
        return "wrong_reference"
    if max(ratio) > 5:
        return "learning_rate_too_high"
    reward = log["objective/scores"]
    if kl[-1] > 20 and reward[-1] < reward[0]:
        return "no_kl_penalty"
    return "healthy"
