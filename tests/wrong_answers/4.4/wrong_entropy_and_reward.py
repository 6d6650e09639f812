# hint: single_jump_missed
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    entropy, reward = log["objective/entropy"], log["objective/scores"]
    if kl[0] > 0.5:
        return "wrong_reference"
    if entropy[-1] > 0.6 * entropy[0]:
        return "healthy"
    return "no_kl_penalty" if reward[-1] > reward[0] else "learning_rate_too_high"
