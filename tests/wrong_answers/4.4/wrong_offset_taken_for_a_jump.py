# hint: offset_taken_for_jump
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    if kl[-1] > 20 and kl[len(kl) // 2] < 40 and kl[0] < 1 and max(ratio) < 5:
        return "no_kl_penalty"
    if max(kl) > 20 or max(ratio) > 10:
        return "learning_rate_too_high"
    return "healthy"
