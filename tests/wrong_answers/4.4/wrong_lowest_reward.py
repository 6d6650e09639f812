# hint: single_jump_missed
import torch


def run_diagnosis(log):
    if log["objective/kl"][0] > 0.01:
        return "wrong_reference"
    if min(log["objective/scores"]) < -0.35:
        return "learning_rate_too_high"
    return "no_kl_penalty" if log["objective/kl"][-1] > 20 else "healthy"
