# hint: other_name
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    names = ("healthy", "no KL", "high learning rate", "other reference")
    return names[3 if kl[0] > 1 else 2 if max(ratio) > 5 else 1 if kl[-1] > 20 else 0]
