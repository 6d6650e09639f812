# hint: rising_kl
import torch



def run_diagnosis(log):
    kl, scores, entropy, ratio = (log[k] for k in ("objective/kl", "objective/scores", "objective/entropy", "val/ratio_max"))
    if kl[0] > 0.1:
        return "wrong_reference"
    if max(ratio) > 10:
        return "learning_rate_too_high"
    if sum(kl) / len(kl) > 8:
        return "no_kl_penalty"
    return "healthy"
