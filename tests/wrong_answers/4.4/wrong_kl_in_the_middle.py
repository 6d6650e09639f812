# hint: rising_kl
import torch



def run_diagnosis(log):
    if log["objective/kl"][0] > 0.01: return "wrong_reference"
    if max(log["val/ratio_max"]) > 10: return "learning_rate_too_high"
    return "no_kl_penalty" if log["objective/kl"][8] > 8 else "healthy"
