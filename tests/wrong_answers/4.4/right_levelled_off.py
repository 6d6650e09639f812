# right: whether the KL still rises in its last updates
import torch



def run_diagnosis(log):
    kl = log["objective/kl"]
    if kl[0] > 0.01: return "wrong_reference"
    if max(log["val/ratio_max"]) > 10: return "learning_rate_too_high"
    return "no_kl_penalty" if kl[-1] > 1.1 * max(kl[-5:-1]) or sum(kl[-3:]) > 1.05 * sum(kl[-6:-3]) else "healthy"
