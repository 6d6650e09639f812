# hint: drift_is_no_jump
import torch



def run_diagnosis(log):
    kl = log["objective/kl"]
    if kl[0] > 0.01: return "wrong_reference"
    if max(b - a for a, b in zip(kl, kl[1:])) > 22: return "learning_rate_too_high"
    return "no_kl_penalty" if kl[-1] > 20 else "healthy"
