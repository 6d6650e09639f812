# hint: end_taken_for_start
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    if max(ratio) > 5:
        return "learning_rate_too_high"
    if max(kl) > 20:
        return "wrong_reference"
    return "healthy"
