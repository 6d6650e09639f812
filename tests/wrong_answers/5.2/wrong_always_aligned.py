# hint: one_name_for_all
import torch


def claim_of(run):
    return "aligned"
