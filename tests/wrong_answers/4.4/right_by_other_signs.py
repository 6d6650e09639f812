# right: by the entropy in the place of the last KL, and the number of large ratios in the place of the largest
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    entropy = log["objective/entropy"]
    if kl[0] > 0.05:
        return "wrong_reference"
    if len([value for value in ratio if value > 9]) > 0:
        return "learning_rate_too_high"
    return "healthy" if entropy[-1] > 0.6 * entropy[0] else "no_kl_penalty"
