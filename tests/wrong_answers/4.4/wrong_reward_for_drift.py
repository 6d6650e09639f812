# hint: rising_kl
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    if kl[0] > 1:
        return "wrong_reference"
    if max(ratio) > 5:
        return "learning_rate_too_high"
    if log["objective/scores"][-1] > 1:
        return "no_kl_penalty"
    return "healthy"
