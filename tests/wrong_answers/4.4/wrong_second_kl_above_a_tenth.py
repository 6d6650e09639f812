# hint: start_not_exactly_0
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    if kl[1] > 0.1:
        return "wrong_reference"
    if max(ratio) > 10:
        return "learning_rate_too_high"
    if kl[-1] > 20:
        return "no_kl_penalty"
    return "healthy"
