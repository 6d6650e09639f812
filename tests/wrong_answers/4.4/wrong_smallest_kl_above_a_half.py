# hint: small_offset_missed
import torch



def run_diagnosis(log):
    kl, scores, entropy, ratio = (log[k] for k in ("objective/kl", "objective/scores", "objective/entropy", "val/ratio_max"))
    if min(kl) > 0.5:
        return "wrong_reference"
    if max(ratio) > 10:
        return "learning_rate_too_high"
    if kl[-1] > 20:
        return "no_kl_penalty"
    return "healthy"
