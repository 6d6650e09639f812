# hint: single_jump_missed
import torch


def run_diagnosis(log):
    s = log["objective/scores"]
    if log["objective/kl"][0] > 0.01:
        return "wrong_reference"
    if s[-1] < s[0]:
        return "learning_rate_too_high"
    if log["objective/kl"][-1] > 20:
        return "no_kl_penalty"
    return "healthy"
