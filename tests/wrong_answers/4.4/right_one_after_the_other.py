# right: ratio by ratio, and the second largest KL
import torch



def run_diagnosis(log):
    if round(log["objective/kl"][0], 2) > 0: return "wrong_reference"
    for r in log["val/ratio_max"]:
        if r > 4: return "learning_rate_too_high"
    if sorted(log["objective/kl"])[-2] > 12: return "no_kl_penalty"
    return "healthy"
