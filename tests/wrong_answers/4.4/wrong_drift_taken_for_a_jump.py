# hint: drift_is_no_jump
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    if kl[0] > 1:
        return "wrong_reference"
    if max(kl) > 20:
        return "learning_rate_too_high"
    return "healthy"
