# hint: single_jump_missed
import torch


def run_diagnosis(log):
    if log["objective/kl"][0] > 0.01:
        return "wrong_reference"
    if log["objective/kl"][-1] > 20 and log["objective/scores"][-1] > 0:
        return "no_kl_penalty"
    if log["objective/kl"][-1] > 20:
        return "learning_rate_too_high"
    return "healthy"
